//! Ends orders whose time has run out, goes on with cascades of stops that were cut, and decides orders whose answer
//! nobody knows.

use ferrex_engine_core::{Action, Command, Reason};
use ferrex_fault::Fault;
use ferrex_ids::CommandId;
use ferrex_postgres::Error as DbError;

use crate::Context;
use crate::order::{resolve, store};

/// The job's name in the schedule.
pub const JOB: &str = "order_expiry";

/// Asks the engine once a market that has such an order; it ends up to 1,000 and triggers as many stops, the next tick goes
/// on. Done twice, the second finds nothing to do.
pub async fn run(context: &Context) -> Result<(), Fault> {
    resolve::run(context).await?;
    let now = context.clock.now();
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let markets = store::list_due(&mut open, now).await?;
    drop(open);
    for market in markets {
        let id = ferrex_ids::uuid_at(context.clock.unix_ms());
        let command = Command {
            id: CommandId::from_uuid(id),
            at: now,
            reason: Reason::Trading,
            reference: id,
            action: Action::ExpireOrders { market, now },
        };
        context.engine.submit(command).await?;
    }
    Ok(())
}
