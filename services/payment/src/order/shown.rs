//! What a person asked for is answered by the engine and shown a moment later. Who reads their orders or trades in between
//! is not shown a state from before what they were just answered.

use ferrex_fault::Fault;
use ferrex_ids::UserId;
use ferrex_postgres::Error as DbError;

use super::store;
use crate::Context;
use crate::market::requests::{LOOK_EVERY, SHOWN_WITHIN};

/// Waits, not for ever, until no order that a person asked for a moment ago is still to be shown. Those that are asked for
/// while it waits are not waited for.
pub async fn wait(context: &Context, user: UserId) -> Result<(), Fault> {
    let (started, now) = (tokio::time::Instant::now(), context.clock.now());
    loop {
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let hidden = store::has_requested(&mut open, user, (now - SHOWN_WITHIN, now)).await?;
        drop(open);
        if !hidden || started.elapsed() >= SHOWN_WITHIN {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
