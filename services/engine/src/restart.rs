//! Where a process begins: the newest good snapshot and the rows after it, or the journal from its first row.
//!
//! A snapshot counts only if it is good in itself ([`Snapshot::read`]), not ahead of the journal, and rests on the very row
//! that the journal has at its place. One that fails is named in the log and counted, and the one before it is tried;
//! with none left the journal is replayed from its beginning, which takes long and is always right. The tables of the
//! projection are for readers: no balance is ever taken from them.

use ferrex_engine_core::{Engine, JournalRow, Snapshot, SnapshotError};
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::beside::blocking;
use crate::shared::Shared;
use crate::store::{self, Page, StoredSnapshot};
use crate::{Error, following};

/// How many journal rows are read at once.
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
pub(crate) async fn at_projection(shared: &Shared, connection: &mut PgConnection) -> Result<Engine, Error> {
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
    let engine = replay(connection, shard, engine, reached, then).await?;
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

/// The rows that follow row `after`, up to row `end` at most; nothing when that is reached.
async fn read_page(connection: &mut PgConnection, after: u64, end: u64) -> Result<Option<Page>, Error> {
    if after >= end {
        return Ok(None);
    }
    store::page(connection, after, end.min(after + PAGE))
        .await
        .map(Some)
}

/// Applies the rows up to `end`; the next page is read while one is applied, and `then` is done after each. The engine then
/// has exactly the accounts that rows so far have opened.
pub(crate) async fn replay(
    connection: &mut PgConnection,
    shard: u16,
    mut engine: Engine,
    end: u64,
    then: impl Fn(&mut Engine) + Clone + Send + 'static,
) -> Result<Engine, Error> {
    let mut next = read_page(connection, engine.sequence(), end).await?;
    while let Some(page) = next {
        let after = end.min(engine.sequence() + PAGE);
        let (applied, read) = tokio::join!(
            blocking(move || apply(engine, &page)),
            read_page(connection, after, end)
        );
        next = read?;
        engine = match applied? {
            Applied::All(engine) => engine,
            // Rare: the rows are the first to name accounts, which are read first.
            Applied::Not(mut engine, rows, (known, highest)) => {
                let accounts = store::accounts_between(&mut *connection, shard, known, highest).await?;
                blocking(move || {
                    following::replay(&mut engine, &accounts, &rows)?;
                    Ok::<_, Error>(engine)
                })
                .await?
            }
        };
        if engine.sequence() != after {
            return Err(Error::Stored {
                what: "the next row",
                row: engine.sequence().to_string(),
            });
        }
        let then = then.clone();
        engine = blocking(move || {
            then(&mut engine);
            engine
        })
        .await;
    }
    Ok(engine)
}

/// What became of a page.
enum Applied {
    All(Engine),
    /// Nothing: its rows name accounts that are not there, from after the first number up to the second.
    Not(Engine, Vec<JournalRow>, (u32, u32)),
}

/// Applies a page, unless it names accounts that are not there.
fn apply(mut engine: Engine, page: &Page) -> Result<Applied, Error> {
    let rows = page.rows()?;
    let known = u32::try_from(engine.ledger().account_count()).unwrap_or(u32::MAX);
    let highest = following::highest_account(&rows);
    if highest > known {
        return Ok(Applied::Not(engine, rows, (known, highest)));
    }
    following::replay(&mut engine, &[], &rows)?;
    Ok(Applied::All(engine))
}
