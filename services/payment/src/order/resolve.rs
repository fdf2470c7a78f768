//! Orders whose answer nobody knows, because who placed them died in between or the engine was away.
//!
//! An order is not placed late: minutes later its price may be wrong. Instead its own command id is used for a cancel. If
//! the id is new to the engine, the cancel is refused and remembered, and the order can never be placed any more; if the
//! id was used, the order was decided, and the same command again tells how.

use ferrex_engine_core::{Outcome, Refusal};
use ferrex_fault::Fault;
use ferrex_postgres::Error as DbError;
use ferrex_time::Duration;
use futures::future::try_join_all;

use super::change::cancelling;
use super::model::OrderRow;
use super::request::command;
use super::store::{self, RefusedOrder};
use crate::Context;

/// For how long a call, and its client's repeats, have the order to themselves.
const GRACE: Duration = Duration::seconds(30);
/// How many are decided at once, so that they share the engine's commits.
const BATCH: usize = 200;

/// Decides what is undecided, however much an engine that was away has left.
pub async fn run(context: &Context) -> Result<(), Fault> {
    let before = context.clock.now() - GRACE;
    let mut after = None;
    loop {
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let orders = store::list_undecided(&mut open, after, before, BATCH).await?;
        drop(open);
        let refused = try_join_all(orders.iter().map(|order| decide(context, order))).await?;
        let refused: Vec<RefusedOrder> = refused.into_iter().flatten().collect();
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        store::insert_refused(&mut open, &refused).await?;
        drop(open);
        let Some(last) = orders.last().filter(|_| orders.len() == BATCH) else {
            return Ok(());
        };
        after = Some((last.placed_at, last.id));
    }
}

/// Has an order decided; one that was placed is told by the engine's event.
async fn decide(context: &Context, order: &OrderRow) -> Result<Option<RefusedOrder>, Fault> {
    let cancelled = context
        .engine
        .submit(cancelling(order.id.cast(), order.placed_at, order))
        .await?;
    let refusal = Refusal::IdReused;
    let was_decided = matches!(cancelled, Outcome::Refused { refusal: found, .. } if found == refusal);
    let (status, outcome) = if was_decided {
        ("refused", context.engine.submit(command(order)?).await?)
    } else {
        ("lapsed", Outcome::Refused { sequence: 0, refusal })
    };
    let (user, id) = (order.user, order.id);
    Ok(match outcome {
        Outcome::Refused { refusal, .. } => Some(RefusedOrder {
            user,
            id,
            status,
            refusal,
        }),
        Outcome::Applied { .. } => None,
    })
}
