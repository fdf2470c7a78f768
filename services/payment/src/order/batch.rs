//! Many orders, cancels and amendments in one call: decided in their order, each by itself.
//!
//! What each item becomes is written with the key, before the engine is asked: the ids of its commands follow from the
//! batch. Doing a batch again is therefore the same as doing it once, wherever the first call stopped.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ferrex_engine_core::{AmendOrder, MarketId, Outcome};
use ferrex_fault::Fault;
use ferrex_ids::{OrderId, UserId};
use ferrex_postgres::Error as DbError;
use ferrex_time::Timestamp;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::change::{amended, amending, amendment, cancelling, not_cancelled};
use super::model::{NewOrder, OrderRow};
use super::read::{Asked, Change};
use super::request::{Decided, decide, may_trade, prepare};
use super::store;
use super::{Error, Placed};
use crate::idempotency::Bound;
use crate::market::Market;
use crate::market::requests::follow;
use crate::{Context, Payment, derive};

/// The most items of a batch.
pub const ITEMS_MAX: usize = 50;

/// One thing that is asked for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A new order.
    Place(Box<Asked>),
    /// The end of an order.
    Cancel(OrderId),
    /// A change of an order.
    Amend(OrderId, Change),
}

/// What an item became when the batch was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// This order was written.
    Place(OrderId),
    /// This order is to be cancelled.
    Cancel(OrderId),
    /// This change is to be made to this order.
    Amend(OrderId, AmendOrder),
    /// It was refused with this.
    Refused(Refused),
}

/// A fault as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Refused(serde_json::Value);

impl Refused {
    fn step(error: Error) -> Step {
        let fault = Fault::from(error);
        Step::Refused(Self(serde_json::to_value(&fault).expect("a fault is plain data")))
    }

    fn fault(&self) -> Fault {
        let kept = serde_json::from_value(self.0.clone());
        kept.unwrap_or_else(|_| Error::NotFound.into())
    }
}

/// Does a batch. The answer has an outcome for each item, in their order; an error says that nobody knows how far it came,
/// and that the same call goes on.
pub async fn run(
    payment: &Payment,
    user: UserId,
    key: &str,
    items: &[Item],
) -> Result<Vec<Result<Placed, Fault>>, Fault> {
    if !(1..=ITEMS_MAX).contains(&items.len()) {
        let message = format!("1 to {ITEMS_MAX} of them");
        return Err(Error::field("payment.order.batch_size", "items", message).into());
    }
    let context = &payment.context;
    let bound = Bound::new(user, key, "order_batch", &items);
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let before = bound.find(&mut open).await??;
    drop(open);
    let id = match before {
        Some(id) => id,
        None => take(context, user, &bound, items).await?,
    };
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let (steps, at) = store::find_batch::<Vec<Step>>(&mut open, id)
        .await?
        .ok_or(Error::NotFound)?;
    drop(open);
    perform(context, (user, id), &steps, at).await
}

async fn orders(
    context: &Context,
    user: UserId,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, OrderRow>, Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let orders = store::find_many(&mut open, user, ids).await?;
    Ok(orders.into_iter().map(|order| (order.id, order)).collect())
}

/// An item that was read: what it became, unless that depends on whether its order can be written.
enum Read {
    Step(Step),
    Order(Box<NewOrder>),
}

/// Reads an item; `orders` are those of the person that items name.
async fn read(
    context: &Context,
    (user, at): (UserId, Timestamp),
    item: &Item,
    orders: &HashMap<OrderId, OrderRow>,
) -> Result<Read, Fault> {
    let (markets, db) = (&context.markets, &context.db);
    let refused = |error| Ok(Read::Step(Refused::step(error)));
    match item {
        Item::Place(asked) => match markets.find(db, &asked.market).await? {
            None => refused(Error::market_unknown()),
            Some(market) => match prepare(asked, &market, user, at) {
                Ok(order) => Ok(Read::Order(Box::new(order))),
                Err(error) => refused(error),
            },
        },
        Item::Cancel(order) if orders.contains_key(order) => Ok(Read::Step(Step::Cancel(*order))),
        Item::Cancel(_) => refused(Error::NotFound),
        Item::Amend(order, change) => {
            let Some(row) = orders.get(order) else {
                return refused(Error::NotFound);
            };
            let Some(market) = markets.get(db, row.market).await? else {
                return refused(Error::NotFound);
            };
            match amending(change, row, &market, true) {
                Ok(change) => Ok(Read::Step(Step::Amend(*order, change))),
                Err(error) => refused(error),
            }
        }
    }
}

/// Writes what each item becomes, with its orders, and binds the key to it; answers the batch's id.
async fn take(context: &Context, user: UserId, bound: &Bound<'_>, items: &[Item]) -> Result<Uuid, Fault> {
    let named = |item: &Item| match item {
        Item::Place(_) => None,
        Item::Cancel(order) | Item::Amend(order, _) => Some(*order),
    };
    let ids: Vec<OrderId> = items.iter().filter_map(named).collect();
    let mut orders = orders(context, user, &ids).await?;
    orders.retain(|_, order| order.refusal.is_none());
    let only_cancels = items.iter().all(|item| matches!(item, Item::Cancel(_)));
    if !only_cancels {
        may_trade(context, user).await??;
    }
    let at = context.clock.now();
    let id = ferrex_ids::uuid_at(context.clock.unix_ms());
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        all.push(read(context, (user, at), item, &orders).await?);
    }
    let mut tx = context.db.begin().await?;
    if !bound.bind(&mut tx, id, at).await? {
        drop(tx);
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        return Ok(bound.find(&mut open).await??.ok_or(Error::NotFound)?);
    }
    let new = all.iter().filter_map(|read| match read {
        Read::Order(order) => Some(&**order),
        Read::Step(_) => None,
    });
    let written = store::insert_all(&mut tx, &new.collect::<Vec<_>>()).await?;
    let step = |read| match read {
        Read::Step(step) => step,
        Read::Order(order) if written.contains(&order.id) => Step::Place(order.id),
        Read::Order(_) => Refused::step(Error::ClientIdTaken),
    };
    let steps: Vec<Step> = all.into_iter().map(step).collect();
    store::insert_batch(&mut tx, id, user, &steps, at).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    Ok(id)
}

/// What the engine said of a step.
enum Said {
    Taken,
    Outcome(Outcome),
    Refused(Fault),
}

/// The order of a step as it was before, and its market.
type Before<'a> = Option<(&'a OrderRow, Arc<Market>)>;

/// Has the engine decide a step, the `number`-th of its batch. The command is on its way as soon as this is first polled.
async fn ask(
    context: &Context,
    (batch, number): (Uuid, u32),
    at: Timestamp,
    step: &Step,
    before: &Before<'_>,
) -> Result<Said, Fault> {
    let before = || before.as_ref().ok_or(Error::NotFound);
    let command = match step {
        Step::Refused(refused) => return Ok(Said::Refused(refused.fault())),
        Step::Place(_) => {
            let (order, market) = before()?;
            return match decide(context, order, market).await? {
                Ok(Decided::Before) => Ok(Said::Taken),
                Ok(Decided::Applied(sequence, _)) => Ok(Said::Outcome(Outcome::Applied { sequence })),
                Ok(Decided::Unknown(unknown)) => Err(unknown.into()),
                Err(error) => Ok(Said::Refused(error.into())),
            };
        }
        Step::Cancel(_) => cancelling(derive::command(batch, "cancel", number), at, before()?.0),
        Step::Amend(_, change) => {
            amendment(derive::command(batch, "amend", number), at, before()?.0, *change)
        }
    };
    Ok(Said::Outcome(context.engine.submit(command).await?))
}

/// Gives the engine the commands of all steps and tells what is shown of each afterwards.
async fn perform(
    context: &Context,
    (user, id): (UserId, Uuid),
    steps: &[Step],
    at: Timestamp,
) -> Result<Vec<Result<Placed, Fault>>, Fault> {
    let of = |step: &Step| match step {
        Step::Place(order) | Step::Cancel(order) | Step::Amend(order, _) => Some(*order),
        Step::Refused(_) => None,
    };
    let ids: Vec<OrderId> = steps.iter().filter_map(of).collect();
    let orders_before = orders(context, user, &ids).await?;
    let mut before: Vec<Before<'_>> = Vec::with_capacity(steps.len());
    for step in steps {
        let order = of(step).and_then(|id| orders_before.get(&id));
        before.push(match order {
            Some(order) => context
                .markets
                .get(&context.db, order.market)
                .await?
                .map(|market| (order, market)),
            None => None,
        });
    }
    // The engine is handed all of them at once and decides them in this order, so that a batch costs about one commit.
    let asked = (0..)
        .zip(steps.iter().zip(&before))
        .map(|(number, (step, before))| ask(context, (id, number), at, step, before));
    let said: Vec<Said> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    let mut reached: BTreeMap<MarketId, u64> = BTreeMap::new();
    for (said, before) in said.iter().zip(&before) {
        if let (Said::Outcome(Outcome::Applied { sequence }), Some((order, _))) = (said, before) {
            let upto = reached.entry(order.market).or_default();
            *upto = (*upto).max(*sequence);
        }
    }
    for (market, sequence) in reached {
        follow(context, market, sequence).await?;
    }
    let after = orders(context, user, &ids).await?;
    let mut outcomes = Vec::with_capacity(steps.len());
    for ((step, said), before) in steps.iter().zip(said).zip(before) {
        let shown = before.and_then(|(order, market)| Some((after.get(&order.id)?.clone(), market)));
        outcomes.push(match (step, said, shown) {
            (_, Said::Refused(fault), _) => Err(fault),
            (_, _, None) => Err(Error::NotFound.into()),
            (Step::Cancel(_), Said::Outcome(Outcome::Applied { .. }), Some((order, market))) => {
                Ok(Placed::shown(order.cancelled(), market))
            }
            (Step::Cancel(_), Said::Outcome(Outcome::Refused { refusal, .. }), Some((order, market))) => {
                not_cancelled(context, refusal, (user, order.id), market).await?
            }
            (Step::Amend(..), Said::Outcome(outcome), Some((order, market))) => {
                amended(context, outcome, (user, order.id), market).await?
            }
            (_, _, Some((order, market))) => Ok(Placed::shown(order, market)),
        });
    }
    Ok(outcomes)
}
