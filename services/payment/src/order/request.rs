//! Asking for an order: checks, the binding of the key, the command; and cancelling one.

use ferrex_contracts::engine::Tif;
use ferrex_engine_core::{
    self as core, Action, Command, OrderKind, OrderRef, Outcome, PlaceOrder, Reason, Refusal, SelfTrade,
    Side, Terms,
};
use ferrex_fault::Fault;
use ferrex_ids::{CommandId, OrderId, UserId};
use ferrex_ledger::{Owner, Purpose};
use ferrex_money::{Amount, Decimals};
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use serde::Serialize;

use super::Error;
use super::store::{self, NewOrder, OrderRow};
use crate::idempotency::Bound;
use crate::market::requests::{LOOK_EVERY, SHOWN_WITHIN, follow};
use crate::market::{self, Market};
use crate::{Context, Payment, customer};

const CLIENT_ID_CHARS_MAX: usize = 64;

/// What a person asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Symbol of the market.
    pub market: String,
    /// Which way.
    pub side: Side,
    /// Whether it never rests.
    pub by_market: bool,
    /// Limit, or worst price.
    pub price: String,
    /// How much of the base asset.
    pub quantity: Option<String>,
    /// For how much of the quote asset.
    pub value: Option<String>,
    /// What becomes of what does not trade at once.
    pub tif: Option<Tif>,
    /// From when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// Of an iceberg, the most that others see.
    pub display_quantity: Option<String>,
    /// What happens when it meets an order of the same person.
    pub self_trade: Option<SelfTrade>,
    /// The person's own name for it.
    pub client_order_id: Option<String>,
}

/// An order, and whether what is shown of it is all that happened.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order.
    pub order: OrderRow,
    /// Where.
    pub market: Market,
    /// Whether the engine has taken it.
    pub accepted: bool,
}

/// Places an order. A repeat under the same key is given the first one, as it stands.
pub async fn place(payment: &Payment, user: UserId, key: &str, asked: &Asked) -> Result<Placed, Fault> {
    let context = &payment.context;
    let bound = Bound::new(user, key, "order", asked);
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    if let Some(resource) = bound.find(&mut open).await?? {
        drop(open);
        return finish(context, OrderId::from_uuid(resource)).await;
    }
    let market = market::store::find(&mut open, &asked.market).await?;
    let unknown = || {
        Error::field(
            "payment.market.unknown",
            "market",
            "there is no market of this symbol",
        )
    };
    let market = market.ok_or_else(unknown)?;
    let mut place = read(asked, &market, user)?;
    let person = customer::store::get(&mut open, user).await?;
    drop(open);
    if person.frozen {
        return Err(Error::Frozen.into());
    }
    let balances = context.engine.balances(Owner::User(user.uuid())).await?;
    let owes =
        |balance: &core::Balance| balance.key.account.purpose == Purpose::Debt && !balance.total.is_zero();
    if balances.iter().any(owes) {
        return Err(Error::Owing.into());
    }
    let (at, id) = (context.clock.now(), OrderId::new_at(context.clock.unix_ms()));
    place.terms.client = Some(id.uuid());
    let (price, quantity, value) = match place.kind {
        OrderKind::Limit { price, quantity, .. } => (price, Some(quantity), None),
        OrderKind::Market { quantity, protection } => (protection, Some(quantity), None),
        OrderKind::MarketByValue { value, protection } => (protection, None, Some(value)),
    };
    let order = NewOrder {
        id,
        user,
        place: &place,
        client_order_id: asked.client_order_id.as_deref(),
        kind: if asked.by_market { "market" } else { "limit" },
        price,
        quantity,
        value,
        tif: asked
            .tif
            .unwrap_or(if asked.by_market { Tif::Ioc } else { Tif::Gtc }),
        at,
    };
    let mut tx = context.db.begin().await?;
    if !bound.bind(&mut tx, id.uuid(), at).await? {
        drop(tx);
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let first = bound.find(&mut open).await??.ok_or(Error::NotFound)?;
        drop(open);
        return finish(context, OrderId::from_uuid(first)).await;
    }
    store::insert(&mut tx, &order).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    finish(context, id).await
}

/// Has an order decided, if it is not yet; a refusal is the same each time it is asked for.
async fn finish(context: &Context, id: OrderId) -> Result<Placed, Fault> {
    let (mut order, market) = load(context, id).await?;
    if let Some(refusal) = order.refusal {
        return Err(Error::refused(refusal, &market).into());
    }
    let mut accepted = order.status != "requested";
    if !accepted {
        // No answer is no refusal: the same command is given again by a repeat or by the clock.
        if let Ok(outcome) = context.engine.submit(command(&order)?).await {
            accepted = true;
            match outcome {
                Outcome::Applied { sequence } => {
                    follow(context, market.id, sequence).await?;
                }
                Outcome::Refused { refusal, .. } => {
                    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
                    store::set_refused(&mut open, id, "refused", refusal).await?;
                    return Err(Error::refused(refusal, &market).into());
                }
            }
            order = load(context, id).await?.0;
        }
    }
    Ok(Placed {
        order,
        market,
        accepted,
    })
}

async fn load(context: &Context, id: OrderId) -> Result<(OrderRow, Market), Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let order = store::find(&mut open, id).await?.ok_or(Error::NotFound)?;
    let markets = market::store::list(&mut open).await?;
    let market = markets.into_iter().find(|market| market.id == order.market);
    Ok((order, market.ok_or(Error::NotFound)?))
}

/// The command that places an order: a function of its row alone.
pub(super) fn command(order: &OrderRow) -> Result<Command, Error> {
    Ok(Command {
        id: order.id.cast(),
        at: order.placed_at,
        reason: Reason::Trading,
        reference: order.id.uuid(),
        action: Action::PlaceOrder(order.command.ok_or(Error::NotFound)?),
    })
}

/// Cancels one of a person's orders. Cancelling twice is the same as cancelling once.
pub async fn cancel(payment: &Payment, user: UserId, id: OrderId) -> Result<Placed, Fault> {
    let context = &payment.context;
    let (order, market) = load(context, id).await?;
    if order.user != user || order.refusal.is_some() {
        return Err(Error::NotFound.into());
    }
    let answer = |order, market| Placed {
        order,
        market,
        accepted: true,
    };
    match order.status.as_str() {
        "requested" | "open" => {}
        "cancelled" => return Ok(answer(order, market)),
        status => return Err(Error::NotOpen(status.to_owned()).into()),
    }
    let command = cancelling(context, CommandId::new_at(context.clock.unix_ms()), &order);
    match context.engine.submit(command).await? {
        Outcome::Applied { sequence } => {
            follow(context, market.id, sequence).await?;
            let mut order = load(context, id).await?.0;
            // The engine has said so, even if the read model is late.
            "cancelled".clone_into(&mut order.status);
            Ok(answer(order, market))
        }
        // It was filled or ended otherwise, and the read model is about to say so.
        Outcome::Refused {
            refusal: Refusal::OrderUnknown,
            ..
        } => {
            let order = ended(context, id).await?;
            match order.status.as_str() {
                "cancelled" => Ok(answer(order, market)),
                status => Err(Error::NotOpen(status.to_owned()).into()),
            }
        }
        Outcome::Refused { refusal, .. } => Err(Error::refused(refusal, &market).into()),
    }
}

/// An order once the read model knows its end, or as it is known when that takes too long.
async fn ended(context: &Context, id: OrderId) -> Result<OrderRow, Fault> {
    let started = tokio::time::Instant::now();
    loop {
        let order = load(context, id).await?.0;
        if order.status != "open" || started.elapsed() >= SHOWN_WITHIN {
            return Ok(order);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The command that cancels an order by its name.
pub(super) fn cancelling(context: &Context, id: CommandId, order: &OrderRow) -> Command {
    Command {
        id,
        at: context.clock.now(),
        reason: Reason::Trading,
        reference: order.id.uuid(),
        action: Action::CancelOrder {
            market: order.market,
            owner: order.user.uuid(),
            order: OrderRef::Client(order.id.uuid()),
        },
    }
}

/// Reads the fields; what is wrong with one is said with its name.
fn read(asked: &Asked, market: &Market, user: UserId) -> Result<PlaceOrder, Error> {
    let amount = |field, text: &str, decimals: Decimals| -> Result<Amount, Error> {
        let code = "payment.amount.invalid";
        let amount = ferrex_money::parse(text, decimals);
        let amount = amount.map_err(|error| Error::field(code, field, error.to_string()))?;
        if amount.is_zero() {
            return Err(Error::field(code, field, "more than zero"));
        }
        Ok(amount)
    };
    let (base, quote) = (market.base_decimals, market.quote_decimals);
    let price = amount("price", &asked.price, quote)?;
    let quantity = asked
        .quantity
        .as_deref()
        .map(|text| amount("quantity", text, base))
        .transpose()?;
    let value = asked
        .value
        .as_deref()
        .map(|text| amount("value", text, quote))
        .transpose()?;
    let shape = |field, message: &str| Err(Error::field("payment.order.shape", field, message));
    let kind = match (asked.by_market, quantity, value) {
        (_, Some(_), Some(_)) => return shape("value", "give `quantity` or `value`, not both"),
        (_, None, None) => return shape("quantity", "give a `quantity`, or for a market buy a `value`"),
        (false, None, Some(_)) => return shape("value", "only a market order is for a `value`"),
        (true, None, Some(_)) if asked.side == Side::Sell => {
            return shape("value", "only a buy is for a `value`");
        }
        (true, None, Some(value)) => OrderKind::MarketByValue {
            value,
            protection: price,
        },
        (true, Some(quantity), None) => OrderKind::Market {
            quantity,
            protection: price,
        },
        (false, Some(quantity), None) => OrderKind::Limit {
            price,
            quantity,
            tif: engine_tif(asked.tif.unwrap_or(Tif::Gtc)),
        },
    };
    if asked.by_market && asked.tif.is_some_and(|tif| tif != Tif::Ioc) {
        return shape("time_in_force", "a market order is always `ioc`");
    }
    if asked.by_market && asked.expires_at.is_some() {
        return shape("expires_at", "a market order never rests");
    }
    let display = asked.display_quantity.as_deref();
    let display = display
        .map(|text| amount("display_quantity", text, base))
        .transpose()?;
    let named = |name: &String| {
        let visible = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        (1..=CLIENT_ID_CHARS_MAX).contains(&name.len()) && visible
    };
    if !asked.client_order_id.as_ref().is_none_or(named) {
        let message = format!("1 to {CLIENT_ID_CHARS_MAX} of A-Z, a-z, 0-9 and - _ . :");
        return Err(Error::field(
            "payment.order.client_id_invalid",
            "client_order_id",
            message,
        ));
    }
    Ok(PlaceOrder {
        market: market.id,
        owner: user.uuid(),
        side: asked.side,
        kind,
        terms: Terms {
            stop: None,
            display,
            expires_at: asked.expires_at,
            self_trade: asked.self_trade.unwrap_or_default(),
            client: None,
        },
    })
}

const fn engine_tif(tif: Tif) -> core::Tif {
    match tif {
        Tif::Gtc => core::Tif::Gtc,
        Tif::Ioc => core::Tif::Ioc,
        Tif::Fok => core::Tif::Fok,
        Tif::PostOnly => core::Tif::PostOnly,
    }
}
