//! Writes a snapshot when the journal has grown enough since the last one, beside whatever else this process does.
//!
//! It is of the state in memory, the owner's or a standby's, who lets go of it in a moment ([`Engine::freeze`]): the bytes are
//! made on another thread, of pages that are copied only where they change meanwhile. It is of a row up to which everything is
//! stored, and is kept back until the projection has reached that row, since a restart takes none beyond it. Every process
//! does it, a standby earlier than the owner; two at once do no harm.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferrex_engine_core::{Engine, Frozen};
use sqlx::Connection as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::beside::blocking;
use crate::restart::{self, Refused};
use crate::shared::Shared;
use crate::store::StoredSnapshot;
use crate::{Error, store};

/// How many are kept.
const KEPT: u32 = 3;
/// For each such part of a state, begun or whole, the journal must have grown by as many rows: a large state is written less
/// often, and what a restart replays stays in proportion to what it loads.
const PART: u64 = 256 << 20;

/// The wish for a state, granted by whoever has the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish(Arc<Mutex<Option<Wished>>>);

#[derive(Debug)]
struct Wished {
    /// The row of the last snapshot.
    newest: u64,
    /// By how many rows the journal must have grown since.
    rows: u64,
    reply: oneshot::Sender<Frozen>,
}

/// Who has the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// It has nothing better to do.
    Standby,
    /// It comes second: a standby has had time to make one before.
    Owner,
}

impl Wish {
    /// The state when the journal has grown by so many rows since row `newest`.
    async fn state(&self, newest: u64, rows: u64) -> Frozen {
        let (reply, granted) = oneshot::channel();
        *self.wished() = Some(Wished { newest, rows, reply });
        match granted.await {
            Ok(state) => state,
            // Another wish has taken its place; nobody makes one while this waits.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives the state away if it is wished for. All of it must be in the journal.
    pub(crate) fn grant(&self, engine: &mut Engine, holder: Holder) {
        let due = |wished: &mut Wished| {
            engine.is_between_commands() && engine.sequence() >= due(wished.newest, wished.rows, holder)
        };
        if let Some(wished) = self.wished().take_if(due) {
            // Whoever waited may have gone.
            let _ = wished.reply.send(engine.freeze());
        }
    }

    fn wished(&self) -> std::sync::MutexGuard<'_, Option<Wished>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Works until `shutdown` is cancelled.
pub(crate) async fn run(shared: Shared, shutdown: CancellationToken) {
    let pause = Duration::from_millis(shared.config.snapshot_check_ms);
    loop {
        let made = tokio::select! {
            () = shutdown.cancelled() => return,
            made = make(&shared, pause) => made,
        };
        if let Err(error) = made {
            tracing::warn!(error = crate::error::chain(&error), "no snapshot was made");
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }
}

/// Makes a snapshot if one is due before `patience` ends: then another process may have made one.
async fn make(shared: &Shared, patience: Duration) -> Result<(), Error> {
    let newest = newest(shared).await?;
    let (newest, bytes) = newest.map_or((0, 0), |newest| (newest.journal_id, newest.bytes));
    let rows = rows_between(shared.config.snapshot_rows, bytes);
    match timeout(patience, shared.snapshot.state(newest, rows)).await {
        Ok(state) => write(shared, state, newest).await,
        Err(_) => Ok(()),
    }
}

/// By how many rows the journal must have grown since a snapshot of so many bytes before the next is written.
fn rows_between(configured: u64, bytes: u64) -> u64 {
    configured.max(1).saturating_mul(1 + bytes / PART)
}

/// From which row on a state is given away.
const fn due(newest: u64, rows: u64, holder: Holder) -> u64 {
    let turns = match holder {
        Holder::Standby => 1,
        Holder::Owner => 2,
    };
    newest.saturating_add(rows.saturating_mul(turns))
}

/// The newest snapshot that the projection has reached.
async fn newest(shared: &Shared) -> Result<Option<StoredSnapshot>, Error> {
    let reached = store::projected(shared.db.pool()).await?;
    let stored = store::snapshots(shared.db.pool(), shared.config.shard).await?;
    let reached = stored.into_iter().filter(|stored| stored.journal_id <= reached);
    Ok(reached.max_by_key(|stored| stored.journal_id))
}

async fn write(shared: &Shared, state: Frozen, newest: u64) -> Result<(), Error> {
    let (began, row) = (Instant::now(), state.sequence());
    let last = store::last_row(shared.db.pool(), row).await?;
    let last = last.ok_or_else(|| Error::Stored {
        what: "the end of a command",
        row: row.to_string(),
    })?;
    let bytes = blocking(move || state.to_snapshot(last)).await;
    let made = began.elapsed();
    while store::projected(shared.db.pool()).await? < row {
        sleep(shared.config.projection()).await;
    }
    let storing = Instant::now();
    let mut connection = shared.db.own_connection().await?;
    let shard = shared.config.shard;
    let stored = store::store_snapshot(&mut connection, shard, row, &bytes, newest + 1, KEPT).await;
    let _ = connection.close().await;
    if stored? {
        metrics::gauge!("engine_snapshot_row").set(crate::owner::gauge(row));
        tracing::info!(
            row,
            bytes = bytes.len(),
            made_seconds = made.as_secs_f32(),
            stored_seconds = storing.elapsed().as_secs_f32(),
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
    use ferrex_engine_core::Batch;

    use super::*;
    use crate::pipeline::tests::refused;

    #[test]
    fn a_large_state_is_written_after_more_rows_and_by_an_owner_after_twice_as_many() {
        let rows = [0, PART - 1, PART, 2 * PART - 1, 2 * PART].map(|bytes| rows_between(1_000, bytes));
        assert_eq!(rows, [1_000, 1_000, 2_000, 2_000, 3_000]);
        assert_eq!(due(500, 2_000, Holder::Standby), 2_500);
        assert_eq!(due(500, 2_000, Holder::Owner), 4_500);
    }

    #[test]
    fn however_it_is_configured_some_rows_lie_between() {
        assert_eq!(rows_between(0, 0), 1);
        assert_eq!(rows_between(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(due(1, u64::MAX, Holder::Owner), u64::MAX);
    }

    /// An engine whose journal has so many rows, each a refusal.
    fn engine(rows: u64) -> Engine {
        let mut engine = Engine::new(0);
        for number in 1..=rows {
            engine.apply(&refused(number), &mut Batch::default());
        }
        engine
    }

    #[tokio::test]
    async fn a_state_is_given_to_whoever_wishes_for_it_once_it_is_due() {
        let wish = Wish::default();
        wish.grant(&mut engine(9), Holder::Standby);
        let granted = {
            let wish = wish.clone();
            tokio::spawn(async move { wish.state(4, 2).await })
        };
        while wish.wished().is_none() {
            tokio::task::yield_now().await;
        }
        wish.grant(&mut engine(5), Holder::Standby);
        wish.grant(&mut engine(7), Holder::Owner);
        assert!(wish.wished().is_some(), "it is not due");
        wish.grant(&mut engine(8), Holder::Owner);
        wish.grant(&mut engine(9), Holder::Standby);
        assert_eq!(granted.await.unwrap().sequence(), 8, "once");
    }
}
