//! Where a process begins: the newest good snapshot and the rows after it, or the journal from its first row.
//!
//! A snapshot counts only if it is good in itself ([`Snapshot::read`]), not ahead of the journal, and rests on the very row
//! that the journal has at its place. One that fails is named in the log and counted, and the one before it is tried;
//! with none left the journal is replayed from its beginning, which takes long and is always right. The tables of the
//! projection are for readers: no balance is ever taken from them.

use ferrex_engine_core::{AccountRow, Engine, JournalRow, Snapshot, SnapshotError};
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::beside::{Pace, blocking};
use crate::shared::Shared;
use crate::store::{self, StoredSnapshot};
use crate::{Error, following, summaries};

/// How many journal rows are read at once. For each page the whole index is looked through, 11 ms of it for 10⁸ rows.
const PAGE: u64 = 50_000;

/// Why a stored snapshot is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its bytes are not those of a good one.
    #[error(transparent)]
    Bytes(#[from] SnapshotError),
    /// It says that it is of another row or shard than its place in the table.
    #[error("it is of row {row} of shard {shard}")]
    Misplaced {
        /// The row it is of.
        row: u64,
        /// The shard it is of.
        shard: u16,
    },
    /// The journal does not reach to its row.
    #[error("the journal ends at row {end}")]
    AheadOfTheJournal {
        /// The journal's last row.
        end: u64,
    },
    /// The journal has another command at its row.
    #[error("it is of another journal")]
    OtherJournal,
}

/// The engine as of the row that the projection has reached, with nothing marked as changed.
pub(crate) async fn at_projection(
    shared: &Shared,
    connection: &mut PgConnection,
    pace: Pace,
) -> Result<Engine, Error> {
    // What the last owner wrote in its last second, or a journal from before this was done.
    summaries::complete(connection).await;
    let (reached, end) = (
        store::projected(&mut *connection).await?,
        store::last_id(&mut *connection).await?,
    );
    if reached > end {
        return Err(Error::Stored {
            what: "a row beyond the journal's end",
            row: "projection".to_owned(),
        });
    }
    let shard = shared.config.shard;
    let begun = Instant::now();
    let mut engine = from_snapshot(connection, shard, reached, end).await?;
    let (from, loaded) = (engine.sequence(), Instant::now());
    forget(shared, &mut engine);
    let then = {
        let shared = shared.clone();
        move |engine: &mut Engine| forget(&shared, engine)
    };
    let engine = replay(connection, shard, engine, reached, (pace, then)).await?;
    tracing::info!(
        rows = reached,
        from_snapshot = from,
        snapshot_seconds = (loaded - begun).as_secs_f32(),
        replay_seconds = loaded.elapsed().as_secs_f32(),
        "journal is replayed"
    );
    Ok(engine)
}

/// All of it is projected, so neither changes nor ids before the window need be kept.
fn forget(shared: &Shared, engine: &mut Engine) {
    engine.drain_changes();
    engine.drain_order_changes();
    engine.forget_before(shared.window_from(), shared.config.window_commands_max);
}

/// The newest good snapshot that is not beyond row `reached`, or an empty engine.
async fn from_snapshot(
    connection: &mut PgConnection,
    shard: u16,
    reached: u64,
    end: u64,
) -> Result<Engine, Error> {
    for stored in store::snapshots(&mut *connection, shard).await? {
        if following::is_beyond_projection(stored.journal_id, reached, end) {
            continue;
        }
        let refused = match read(connection, shard, end, stored).await? {
            Ok(snapshot) => return Ok(snapshot.engine),
            Err(refused) => refused,
        };
        metrics::counter!("engine_snapshots_refused_total").increment(1);
        tracing::error!(
            snapshot = stored.id,
            row = stored.journal_id,
            error = crate::error::chain(&refused),
            "a snapshot is refused, trying the one before"
        );
    }
    Ok(Engine::new(shard))
}

/// A stored snapshot, or why it is not to be used.
pub(crate) async fn read(
    connection: &mut PgConnection,
    shard: u16,
    end: u64,
    stored: StoredSnapshot,
) -> Result<Result<Snapshot, Refused>, Error> {
    if stored.journal_id > end {
        return Ok(Err(Refused::AheadOfTheJournal { end }));
    }
    let bytes = store::snapshot_bytes(connection, stored).await?;
    let snapshot = blocking(move || Snapshot::read(&bytes)).await;
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(error) => return Ok(Err(error.into())),
    };
    let last = store::last_row(connection, stored.journal_id).await?;
    let fits = following::check_place(&snapshot, stored.journal_id, shard, last);
    Ok(fits.map(|()| snapshot))
}

/// Some rows that follow in the journal, and the accounts that they are the first to name.
struct Page {
    rows: Vec<JournalRow>,
    accounts: Vec<AccountRow>,
    /// The last row, and the last account that is known there.
    upto: (u64, u32),
}

/// Reads what follows row `after`, where `known` accounts are known, up to row `end` at most; nothing when that is reached.
async fn read_page(
    connection: &mut PgConnection,
    shard: u16,
    (after, known): (u64, u32),
    end: u64,
) -> Result<Option<Page>, Error> {
    if after >= end {
        return Ok(None);
    }
    let rows = store::rows_between(&mut *connection, after, end.min(after + PAGE)).await?;
    let Some(last) = rows.last() else {
        return Err(Error::Stored {
            what: "the next row",
            row: after.to_string(),
        });
    };
    let upto = (last.id, following::highest_account(&rows).max(known));
    let accounts = if upto.1 > known {
        store::accounts_between(connection, shard, known, upto.1).await?
    } else {
        Vec::new()
    };
    Ok(Some(Page { rows, accounts, upto }))
}

/// Applies the rows up to `end`; the next page is read while one is applied, and `then` is done after each. The engine then
/// has exactly the accounts that rows so far have opened.
pub(crate) async fn replay(
    connection: &mut PgConnection,
    shard: u16,
    mut engine: Engine,
    end: u64,
    (pace, then): (Pace, impl Fn(&mut Engine) + Clone + Send + 'static),
) -> Result<Engine, Error> {
    let known = u32::try_from(engine.ledger().account_count()).unwrap_or(u32::MAX);
    let mut next = read_page(connection, shard, (engine.sequence(), known), end).await?;
    while let Some(page) = next {
        let (upto, then, begun) = (page.upto, then.clone(), Instant::now());
        let applying = blocking(move || {
            following::replay(&mut engine, &page.accounts, &page.rows)?;
            then(&mut engine);
            Ok::<_, Error>(engine)
        });
        let (applied, read) = tokio::join!(applying, read_page(connection, shard, upto, end));
        (engine, next) = (applied?, read?);
        pace.rest(begun.elapsed()).await;
    }
    Ok(engine)
}
