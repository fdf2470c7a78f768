//! Changing orders that are there: cancelling one, cancelling all, amending one in place.

use std::sync::Arc;

use ferrex_engine_core::{Action, AmendOrder, Command, MarketId, OrderRef, Outcome, Reason, Refusal};
use ferrex_fault::Fault;
use ferrex_ids::{CommandId, OrderId, UserId};
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::model::OrderRow;
use super::read::{self, Change};
use super::request::{load, may_trade};
use super::store;
use super::{Error, Placed};
use crate::idempotency::Bound;
use crate::market::requests::{LOOK_EVERY, SHOWN_WITHIN, follow};
use crate::market::{self, Market};
use crate::{Context, Payment};

/// An order of a person, as far as they may know of it.
async fn own(context: &Context, user: UserId, id: OrderId) -> Result<(OrderRow, Arc<Market>), Fault> {
    let (order, market) = load(context, user, id).await?;
    if order.refusal.is_some() {
        return Err(Error::NotFound.into());
    }
    Ok((order, market))
}

/// Cancels one of a person's orders. Cancelling twice is the same as cancelling once.
pub async fn cancel(payment: &Payment, user: UserId, id: OrderId) -> Result<Placed, Fault> {
    let context = &payment.context;
    let (order, market) = own(context, user, id).await?;
    match order.status.as_str() {
        "requested" | "open" => {}
        "cancelled" => return Ok(Placed::shown(order, market)),
        status => return Err(Error::NotOpen(status.to_owned()).into()),
    }
    // A fresh id each time: a cancel that a halt has refused must be possible later.
    let id_of_command = CommandId::new_at(context.clock.unix_ms());
    let command = cancelling(id_of_command, context.clock.now(), &order);
    match context.engine.submit(command).await? {
        Outcome::Applied { sequence } => {
            follow(context, market.id, sequence).await?;
            let order = load(context, user, id).await?.0;
            Ok(Placed::shown(order.cancelled(), market))
        }
        Outcome::Refused { refusal, .. } => not_cancelled(context, refusal, (user, id), market).await?,
    }
}

/// What a refused cancel is to the person: an order that was cancelled otherwise is cancelled.
pub(super) async fn not_cancelled(
    context: &Context,
    refusal: Refusal,
    (user, id): (UserId, OrderId),
    market: Arc<Market>,
) -> Result<Result<Placed, Fault>, Fault> {
    if refusal != Refusal::OrderUnknown {
        return Ok(Err(Error::refused(refusal, &market).into()));
    }
    // It was filled or ended otherwise, and the read model is about to say so.
    let order = ended(context, user, id).await?;
    Ok(match order.status.as_str() {
        "cancelled" => Ok(Placed::shown(order, market)),
        status => Err(Error::NotOpen(status.to_owned()).into()),
    })
}

/// An order once its end is known here, or as it is known when that takes too long.
async fn ended(context: &Context, user: UserId, id: OrderId) -> Result<OrderRow, Fault> {
    let started = tokio::time::Instant::now();
    loop {
        let order = load(context, user, id).await?.0;
        if !matches!(order.status.as_str(), "requested" | "open") || started.elapsed() >= SHOWN_WITHIN {
            return Ok(order);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The command that cancels an order by its name.
pub(super) fn cancelling(id: CommandId, at: Timestamp, order: &OrderRow) -> Command {
    Command {
        id,
        at,
        reason: Reason::Trading,
        reference: order.id.uuid(),
        action: Action::CancelOrder {
            market: order.market,
            owner: order.user.uuid(),
            order: OrderRef::Client(order.id.uuid()),
        },
    }
}

/// Cancels all of a person's orders, of one market or of each: one command a market. Markets that refuse it are told
/// after the others were asked. Answers the symbols of those where orders were cancelled.
pub async fn cancel_all(payment: &Payment, user: UserId, symbol: Option<&str>) -> Result<Vec<String>, Fault> {
    let context = &payment.context;
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let markets = market::store::list(&mut open).await?;
    let with_orders = store::list_open_markets(&mut open, user).await?;
    drop(open);
    let mut wanted: Vec<Market> = match symbol {
        Some(symbol) => {
            let found = markets.into_iter().find(|market| market.symbol == symbol);
            vec![found.ok_or_else(Error::market_unknown)?]
        }
        None => markets,
    };
    wanted.retain(|market| with_orders.contains(&market.id));
    let (mut cancelled, mut refused) = (Vec::new(), None);
    let mut told: Vec<(MarketId, u64)> = Vec::new();
    for market in wanted {
        let id = CommandId::new_at(context.clock.unix_ms());
        let command = Command {
            id,
            at: context.clock.now(),
            reason: Reason::Trading,
            reference: user.uuid(),
            action: Action::CancelAll {
                market: market.id,
                owner: user.uuid(),
            },
        };
        match context.engine.submit(command).await? {
            Outcome::Applied { sequence } => {
                told.push((market.id, sequence));
                cancelled.push(market.symbol);
            }
            Outcome::Refused {
                refusal: Refusal::NothingToDo,
                ..
            } => {}
            Outcome::Refused { refusal, .. } => refused = Some(Error::stays(refusal, &market)),
        }
    }
    for (market, sequence) in told {
        follow(context, market, sequence).await?;
    }
    refused.map_or(Ok(cancelled), |error| Err(error.into()))
}

/// Amends one of a person's orders in place. A repeat under the same key changes nothing more.
pub async fn amend(
    payment: &Payment,
    user: UserId,
    key: &str,
    id: OrderId,
    asked: &Change,
) -> Result<Placed, Fault> {
    let context = &payment.context;
    let bound = Bound::new(user, key, "order_amendment", &(id, asked));
    let (order, market) = own(context, user, id).await?;
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let bound_before = bound.find(&mut open).await??;
    drop(open);
    let change = amending(asked, &order, &market, bound_before.is_none())?;
    let at = context.clock.now();
    let command = if let Some(command) = bound_before {
        command
    } else {
        may_trade(context, user).await??;
        bind(context, &bound, at).await?
    };
    // The command follows from key, order and body alone, so the engine answers a repeat as it did the first.
    let outcome = context
        .engine
        .submit(amendment(CommandId::from_uuid(command), at, &order, change));
    let outcome = outcome.await?;
    if let Outcome::Applied { sequence } = outcome {
        follow(context, market.id, sequence).await?;
    }
    amended(context, outcome, (user, id), market).await?
}

/// Binds a key to the id of a command, or finds the one that another call has just bound it to.
async fn bind(context: &Context, bound: &Bound<'_>, at: Timestamp) -> Result<Uuid, Fault> {
    let fresh = ferrex_ids::uuid_at(context.clock.unix_ms());
    let mut tx = context.db.begin().await?;
    if bound.bind(&mut tx, fresh, at).await? {
        tx.commit().await.map_err(DbError::Commit)?;
        return Ok(fresh);
    }
    drop(tx);
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    Ok(bound.find(&mut open).await??.ok_or(Error::NotFound)?)
}

/// What the outcome of an amendment is to the person; values that the order has already are no fault.
pub(super) async fn amended(
    context: &Context,
    outcome: Outcome,
    (user, id): (UserId, OrderId),
    market: Arc<Market>,
) -> Result<Result<Placed, Fault>, Fault> {
    match outcome {
        Outcome::Refused {
            refusal: Refusal::OrderUnknown,
            ..
        } => {
            let status = ended(context, user, id).await?.status;
            Ok(Err(Error::NotOpen(status).into()))
        }
        Outcome::Refused { refusal, .. } if refusal != Refusal::NothingToDo => {
            Ok(Err(Error::refused(refusal, &market).into()))
        }
        _ => Ok(Ok(Placed::shown(load(context, user, id).await?.0, market))),
    }
}

/// Reads a change of an order; whether it leaves enough is asked once, for the order moves on.
pub(super) fn amending(
    asked: &Change,
    order: &OrderRow,
    market: &Market,
    checked: bool,
) -> Result<AmendOrder, Error> {
    let (price, quantity) = read::change(asked, market)?;
    if checked {
        if !matches!(order.status.as_str(), "requested" | "open") {
            return Err(Error::NotOpen(order.status.clone()));
        }
        read::check_least(order, market, price, quantity)?;
    }
    Ok(AmendOrder {
        market: order.market,
        owner: order.user.uuid(),
        order: OrderRef::Client(order.id.uuid()),
        price,
        quantity,
    })
}

/// The command that amends an order.
pub(super) fn amendment(id: CommandId, at: Timestamp, order: &OrderRow, change: AmendOrder) -> Command {
    Command {
        id,
        at,
        reason: Reason::Trading,
        reference: order.id.uuid(),
        action: Action::AmendOrder(change),
    }
}
