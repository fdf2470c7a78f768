//! Writes a snapshot when the journal has grown enough since the last one, beside whatever else this process does.
//!
//! It is made from the database alone, of the newest good snapshot and the rows since: neither the owner's loop nor a
//! standby's state is touched, the journal's ability to be replayed is tried all the time and not first after a crash, and
//! a snapshot that went bad is noticed when the next is made. The price is a second state in memory while that lasts.
//! Every process does it, a standby earlier than the owner; two at once do no harm.

use std::time::Duration;

use ferrex_engine_core::Engine;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::beside::{Pace, blocking};
use crate::restart::{self, Refused};
use crate::shared::{Role, Shared};
use crate::store::StoredSnapshot;
use crate::{Error, store};

/// How many are kept.
const KEPT: u32 = 3;
/// For each such part of a state, begun or whole, the journal must have grown by as many rows: a large state is written less
/// often, and what a restart replays stays in proportion to what it loads.
const PART: u64 = 256 << 20;

/// Works until `shutdown` is cancelled.
pub(crate) async fn run(shared: Shared, shutdown: CancellationToken) {
    let pause = Duration::from_millis(shared.config.snapshot_check_ms);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let made = tokio::select! {
            () = shutdown.cancelled() => return,
            made = make(&shared) => made,
        };
        if let Err(error) = made {
            tracing::warn!(error = crate::error::chain(&error), "no snapshot was made");
        }
    }
}

/// Makes a snapshot if one is due.
async fn make(shared: &Shared) -> Result<(), Error> {
    let reached = store::projected(shared.db.pool()).await?;
    let newest = newest(shared, reached).await?;
    let (newest, bytes) = newest.map_or((0, 0), |newest| (newest.journal_id, newest.bytes));
    let rows = rows_between(shared.config.snapshot_rows, bytes, &shared.role.borrow());
    if reached < newest.saturating_add(rows) {
        return Ok(());
    }
    let mut connection = shared.db.own_connection().await?;
    let end = store::last_id(&mut connection).await?;
    let made = write(
        shared,
        &mut connection,
        newest,
        pace(bytes, end.saturating_sub(newest), rows),
    )
    .await;
    let _ = connection.close().await;
    made
}

/// How a snapshot is made when the last one has so many bytes, and the journal has grown by `grown` rows since, of the `due` after
/// which it is wanted. A large state takes long, and one that is late is waited for by whoever restarts.
const fn pace(bytes: u64, grown: u64, due: u64) -> Pace {
    if bytes < PART && grown < due.saturating_mul(2) {
        Pace::Beside
    } else {
        Pace::Full
    }
}

/// By how many rows the journal must have grown since a snapshot of so many bytes before the next is written.
fn rows_between(configured: u64, bytes: u64, role: &Role) -> u64 {
    let rows = configured.max(1).saturating_mul(1 + bytes / PART);
    match role {
        Role::Standby(_) => rows,
        // The owner has better things to do, and comes second.
        Role::Owner => rows.saturating_mul(2),
    }
}

/// The newest snapshot that the projection has reached.
async fn newest(shared: &Shared, reached: u64) -> Result<Option<StoredSnapshot>, Error> {
    let stored = store::snapshots(shared.db.pool(), shared.config.shard).await?;
    let reached = stored.into_iter().filter(|stored| stored.journal_id <= reached);
    Ok(reached.max_by_key(|stored| stored.journal_id))
}

async fn write(shared: &Shared, connection: &mut PgConnection, newest: u64, pace: Pace) -> Result<(), Error> {
    let started = Instant::now();
    let engine = restart::at_projection(shared, connection, pace).await?;
    let row = engine.sequence();
    let last = store::last_row(&mut *connection, row).await?;
    let Some(last) = last.filter(|_| engine.is_between_commands()) else {
        return Err(Error::Stored {
            what: "the end of a command",
            row: row.to_string(),
        });
    };
    let bytes = blocking(move || Engine::to_snapshot(&engine, last)).await;
    let shard = shared.config.shard;
    if store::store_snapshot(connection, shard, row, (&bytes, pace), newest + 1, KEPT).await? {
        metrics::gauge!("engine_snapshot_row").set(crate::owner::gauge(row));
        tracing::info!(
            row,
            bytes = bytes.len(),
            seconds = started.elapsed().as_secs_f32(),
            "snapshot is stored"
        );
    }
    Ok(())
}

/// A stored snapshot and whether it is good.
#[derive(Debug)]
pub struct Found {
    /// The journal row it is of.
    pub journal_id: u64,
    /// Its size.
    pub bytes: u64,
    /// The hash of its state, or why it would not be used.
    pub verdict: Result<[u8; 32], Refused>,
}

/// Reads every stored snapshot of a shard, the newest first, as a restart would.
pub async fn inspect(db: &ferrex_postgres::Db, shard: u16) -> Result<Vec<Found>, Error> {
    use crate::error::Doing as _;
    let mut connection = db.pool().acquire().await.doing("connecting")?;
    let end = store::last_id(&mut *connection).await?;
    let mut found = Vec::new();
    for stored in store::snapshots(&mut *connection, shard).await? {
        let read = restart::read(&mut connection, shard, end, stored).await?;
        found.push(Found {
            journal_id: stored.journal_id,
            bytes: stored.bytes,
            verdict: read.map(|snapshot| snapshot.engine.state_hash()),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_is_written_after_more_rows() {
        let standby = |bytes| rows_between(1_000, bytes, &Role::Standby(None));
        assert_eq!((standby(0), standby(PART - 1)), (1_000, 1_000));
        assert_eq!(
            (standby(PART), standby(2 * PART - 1), standby(2 * PART)),
            (2_000, 2_000, 3_000)
        );
        assert_eq!(
            rows_between(1_000, PART, &Role::Owner),
            4_000,
            "the owner comes second"
        );
    }

    #[test]
    fn a_large_state_and_a_late_snapshot_are_made_at_full_pace() {
        assert_eq!(pace(PART - 1, 1_999, 1_000), Pace::Beside);
        assert_eq!(pace(PART - 1, 2_000, 1_000), Pace::Full);
        assert_eq!(pace(PART, 1_000, 1_000), Pace::Full);
    }

    #[test]
    fn however_it_is_configured_some_rows_lie_between() {
        assert_eq!(rows_between(0, 0, &Role::Standby(None)), 1);
        assert_eq!(rows_between(u64::MAX, u64::MAX, &Role::Owner), u64::MAX);
    }
}
