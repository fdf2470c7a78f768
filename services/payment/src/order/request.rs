//! Asking for an order: checks, the binding of the key, the command.

use std::sync::Arc;

use ferrex_engine_client::Unknown;
use ferrex_engine_core::{self as core, Action, Command, OrderKind, OrderReport, Outcome, Reason};
use ferrex_fault::Fault;
use ferrex_ids::{OrderId, UserId};
use ferrex_ledger::{Owner, Purpose};
use ferrex_money::Amount;
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;

use super::intake::{Debts, Taken};
use super::model::{NewOrder, OrderRow};
use super::read::{self, Asked};
use super::store::{self, RefusedOrder};
use super::{Error, Placed};
use crate::idempotency::Bound;
use crate::market::Market;
use crate::market::requests::follow;
use crate::{Context, Payment, customer};

/// Places an order. A repeat under the same key is given the first one, as it stands.
pub async fn place(payment: &Payment, user: UserId, key: &str, asked: &Asked) -> Result<Placed, Fault> {
    let context = &payment.context;
    let bound = Bound::new(user, key, "order", asked);
    let market = context.markets.find(&context.db, &asked.market).await?;
    let market = market.ok_or_else(Error::market_unknown)?;
    let order = prepare(asked, &market, user, context.clock.now())?;
    let mut taken = context.intake.take(&bound, order.clone(), Debts::Unknown).await?;
    // Few people ever owe anything; for them the engine is asked.
    let owes = taken == Taken::MayOwe && owes(context, user).await?;
    if taken == Taken::MayOwe && !owes {
        taken = context.intake.take(&bound, order.clone(), Debts::None).await?;
    }
    let refused = match taken {
        Taken::Written => return decide_new(context, order.into_row(), market).await,
        Taken::Repeat => Error::NotFound,
        Taken::Frozen => Error::Frozen,
        Taken::MayOwe => Error::Owing,
        Taken::NameInUse => Error::ClientIdTaken,
    };
    // What the key has made stands, whatever holds of the person by now.
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let first = bound.find(&mut open).await??;
    drop(open);
    match first {
        Some(first) => finish(context, user, OrderId::from_uuid(first)).await,
        None => Err(refused.into()),
    }
}

/// Reads an order that a person asks for as it is written; the id that it is given is the engine's name for it too.
pub(super) fn prepare(
    asked: &Asked,
    market: &Market,
    user: UserId,
    at: Timestamp,
) -> Result<NewOrder, Error> {
    let id = OrderId::new_at(at.timestamp_millis().unsigned_abs());
    let mut place = read::order(asked, market, user)?;
    place.terms.client = Some(id.uuid());
    let (price, quantity, value): (Amount, _, _) = match place.kind {
        OrderKind::Limit { price, quantity, .. } => (price, Some(quantity), None),
        OrderKind::Market { quantity, protection } => (protection, Some(quantity), None),
        OrderKind::MarketByValue { value, protection } => (protection, None, Some(value)),
    };
    Ok(NewOrder {
        id,
        user,
        place,
        client_order_id: asked.client_order_id.clone(),
        kind: if asked.by_market { "market" } else { "limit" },
        price,
        quantity,
        value,
        tif: read::tif(asked),
        at,
    })
}

/// Whether a person's money may go into orders at present.
pub(super) async fn may_trade(context: &Context, user: UserId) -> Result<Result<(), Error>, Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let person = customer::store::get(&mut open, user).await?;
    drop(open);
    if person.frozen {
        return Ok(Err(Error::Frozen));
    }
    Ok(if owes(context, user).await? {
        Err(Error::Owing)
    } else {
        Ok(())
    })
}

/// Whether a person has a debt in any asset.
async fn owes(context: &Context, user: UserId) -> Result<bool, Fault> {
    let balances = context.engine.balances(Owner::User(user.uuid())).await?;
    let is_debt =
        |balance: &core::Balance| balance.key.account.purpose == Purpose::Debt && !balance.total.is_zero();
    Ok(balances.iter().any(is_debt))
}

/// Has an order decided that was written a moment ago. What is shown is the engine's own answer.
async fn decide_new(context: &Context, order: OrderRow, market: Arc<Market>) -> Result<Placed, Fault> {
    match decide(context, &order, &market).await?? {
        Decided::Applied(_, Some(report)) => {
            Ok(Placed::shown(order.reported(&report, market.terms.lot), market))
        }
        // Another call under the same key has had it decided.
        Decided::Applied(_, None) | Decided::Before => finish(context, order.user, order.id).await,
        Decided::Unknown(_) => Ok(Placed {
            order,
            market,
            accepted: false,
        }),
    }
}

/// Has an order decided, if it is not yet, and waits until it is shown.
async fn finish(context: &Context, user: UserId, id: OrderId) -> Result<Placed, Fault> {
    let (mut order, market) = load(context, user, id).await?;
    let decided = decide(context, &order, &market).await??;
    if let Decided::Applied(sequence, _) = decided {
        follow(context, market.id, sequence).await?;
        order = load(context, user, id).await?.0;
    }
    Ok(Placed {
        order,
        market,
        accepted: !matches!(decided, Decided::Unknown(_)),
    })
}

/// Where an order stands after it was asked for.
pub(super) enum Decided {
    /// It was told before.
    Before,
    /// The engine took it, as of a journal id; with what became of it if that was in this moment.
    Applied(u64, Option<OrderReport>),
    /// No answer is no refusal: the same command is given again by a repeat or by the clock.
    Unknown(Unknown),
}

/// Has an order decided, if it is not yet; a refusal is the same each time it is asked for.
pub(super) async fn decide(
    context: &Context,
    order: &OrderRow,
    market: &Market,
) -> Result<Result<Decided, Error>, Fault> {
    if let Some(refusal) = order.refusal {
        return Ok(Err(Error::refused(refusal, market)));
    }
    if order.status != "requested" {
        return Ok(Ok(Decided::Before));
    }
    let answer = match context.engine.answer(command(order)?).await {
        Ok(answer) => answer,
        Err(unknown) => return Ok(Ok(Decided::Unknown(unknown))),
    };
    Ok(match answer.outcome {
        Outcome::Applied { sequence } => Ok(Decided::Applied(sequence, answer.order)),
        Outcome::Refused { refusal, .. } => {
            let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
            let refused = RefusedOrder {
                user: order.user,
                id: order.id,
                status: "refused",
                refusal,
            };
            store::insert_refused(&mut open, &[refused]).await?;
            Err(Error::refused(refusal, market))
        }
    })
}

/// One of a person's orders and its market.
pub(super) async fn load(
    context: &Context,
    user: UserId,
    id: OrderId,
) -> Result<(OrderRow, Arc<Market>), Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let order = store::find(&mut open, user, id).await?.ok_or(Error::NotFound)?;
    drop(open);
    let market = context.markets.get(&context.db, order.market).await?;
    Ok((order, market.ok_or(Error::NotFound)?))
}

/// The command that places an order: a function of its row alone.
pub(super) fn command(order: &OrderRow) -> Result<Command, Error> {
    Ok(Command {
        id: order.id.cast(),
        at: order.placed_at,
        reason: Reason::Trading,
        reference: order.id.uuid(),
        action: Action::PlaceOrder(order.place().ok_or(Error::NotFound)?),
    })
}
