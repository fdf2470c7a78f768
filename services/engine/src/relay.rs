//! Tells the bus what was committed, in journal order, at least once.
//!
//! Fresh batches come from the owner's memory, all that wait at once; what was missed (after a restart, or while the bus
//! was away) is read from the journal by id, which is safe because a single writer commits ids in order. The cursor is
//! stored after publishing. A message's id is derived from its command's, so the readers' inboxes see a repetition as one.
//!
//! The last place that a broker gave to an event is kept too, for each partition. When one turns out to end before it
//! (F67), the cursor goes back to where it was an hour ago, and the journal is told again from there.

use std::time::Duration;

use ferrex_bus::{Bus, Place, Receipt, Watch};
use ferrex_engine_core::{Batch, JournalRow};
use ferrex_postgres::Dedicated;
use ferrex_runtime::{Backoff, kill};
use sqlx::PgConnection;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::error::Doing as _;
use crate::shared::Shared;
use crate::telling::{Teller, whole};
use crate::{Error, store};

/// How many batches may wait; further ones are read from the journal later.
const QUEUE: usize = 256;
/// How many batches are told at once.
const TOGETHER: usize = 64;
/// How many journal rows are read at once; far more than one command has.
const PAGE: u64 = 5_000;
/// While batches come faster than they are told, this long passes between two publications, so that each carries many.
const APART: Duration = Duration::from_millis(5);
/// So many rows are what one or two commands have.
const FEW: usize = 8;
/// How often it is looked whether a minute has passed since the cursor was remembered.
const REMEMBER_EVERY: Duration = Duration::from_secs(5);
/// How long to wait for a batch before the journal is compared with the cursor.
const IDLE: Duration = Duration::from_millis(500);

/// A batch after its commit.
struct Committed {
    previous: u64,
    batch: Batch,
}

impl Committed {
    /// Its last row.
    fn upto(&self) -> u64 {
        self.previous + self.batch.rows.len() as u64
    }

    /// Its rows that follow row `id`.
    fn rows_after(&self, id: u64) -> &[JournalRow] {
        let rows = &self.batch.rows;
        &rows[rows.partition_point(|row| row.id <= id)..]
    }
}

/// Publishes beside the owner's loop.
pub(crate) struct Relay {
    batches: mpsc::Sender<Committed>,
    durable: watch::Sender<u64>,
    _running: AbortOnDropHandle<()>,
}

impl Relay {
    pub(crate) fn start(shared: &Shared, bus: Bus, durable: u64) -> Self {
        let (batches, fresh) = mpsc::channel(QUEUE);
        let (durable, end) = watch::channel(durable);
        let telling = Telling {
            shared: shared.clone(),
            bus,
            cursors: Dedicated::new(&shared.db),
            cursor: 0,
            teller: Teller::default(),
            accounts_upto: 0,
            watch: Watch::new([]),
            remember: Instant::now(),
        };
        let running = AbortOnDropHandle::new(tokio::spawn(run(telling, fresh, end)));
        Self {
            batches,
            durable,
            _running: running,
        }
    }

    /// Takes a committed batch; never waits.
    pub(crate) fn offer(&self, previous: u64, batch: Batch) {
        self.durable.send_replace(previous + batch.rows.len() as u64);
        // A full queue is no loss: the journal has it.
        let _ = self.batches.try_send(Committed { previous, batch });
    }
}

struct Telling {
    shared: Shared,
    bus: Bus,
    /// Where the cursor is stored.
    cursors: Dedicated,
    cursor: u64,
    teller: Teller,
    accounts_upto: u32,
    watch: Watch,
    remember: Instant,
}

async fn run(mut telling: Telling, mut fresh: mpsc::Receiver<Committed>, end: watch::Receiver<u64>) {
    let mut backoff = Backoff::default();
    let mut started = false;
    let mut waiting: Vec<Committed> = Vec::new();
    loop {
        let turn = async {
            if !started {
                telling.cursor = store::relay_cursor(telling.shared.db.pool()).await?;
                telling.watch = store::relay_watch(telling.shared.db.pool()).await?;
                started = true;
            }
            telling.make_good().await?;
            if waiting.is_empty() {
                match timeout(IDLE, fresh.recv_many(&mut waiting, TOGETHER)).await {
                    Ok(0) => return Ok(false),
                    Ok(_) => {}
                    Err(_) => {
                        let end = *end.borrow();
                        telling.catch_up(end).await?;
                    }
                }
            }
            telling.tell(&waiting).await?;
            let rows: usize = waiting.iter().map(|committed| committed.batch.rows.len()).sum();
            waiting.clear();
            if rows > FEW {
                tokio::time::sleep(APART).await;
            }
            Ok::<_, Error>(true)
        };
        match turn.await {
            Ok(true) => backoff.reset(),
            Ok(false) => return,
            Err(error) => {
                if backoff.failures() == 0 {
                    tracing::warn!(
                        error = crate::error::chain(&error),
                        "journal events wait for the bus"
                    );
                }
                tokio::time::sleep(backoff.next_pause()).await;
            }
        }
    }
}

/// The rows of the commands that follow row `after`, as many as a page has; none when that is row `end`.
async fn read_page(connection: &mut PgConnection, after: u64, end: u64) -> Result<Vec<JournalRow>, Error> {
    if after >= end {
        return Ok(Vec::new());
    }
    let mut rows = store::rows_between(connection, after, end.min(after + PAGE)).await?;
    rows.truncate(whole(&rows));
    if rows.is_empty() {
        return Err(Error::Stored {
            what: "the next command",
            row: after.to_string(),
        });
    }
    Ok(rows)
}

impl Telling {
    /// Goes back to tell again what the broker has not any more.
    async fn make_good(&mut self) -> Result<(), Error> {
        if Instant::now() >= self.remember {
            let mut tx = self.shared.db.begin().await?;
            store::remember_relay_cursor(&mut tx).await?;
            tx.commit().await.doing("committing where the relay is")?;
            self.remember = Instant::now() + REMEMBER_EVERY;
        }
        let lost = self.watch.lost(&self.bus).await;
        if lost.is_empty() {
            return Ok(());
        }
        match self.go_back(&lost).await {
            Ok(row) => {
                tracing::error!(
                    partitions = ?lost,
                    row,
                    "the broker lost events that it had taken; the journal is told again from after this row"
                );
                self.cursor = row;
                Ok(())
            }
            Err(error) => {
                self.watch.still_lost(lost);
                Err(error)
            }
        }
    }

    /// Moves the stored cursor back; answers where it is now.
    async fn go_back(&self, lost: &[Place]) -> Result<u64, Error> {
        let mut tx = self.shared.db.begin().await?;
        let row = store::tell_again(&mut tx, lost).await?;
        tx.commit().await.doing("committing how far the bus is told")?;
        Ok(row)
    }

    /// Publishes batches, those that follow each other together.
    async fn tell(&mut self, committed: &[Committed]) -> Result<(), Error> {
        for follow_each_other in committed.chunk_by(|batch, next| batch.upto() == next.previous) {
            let (Some(first), Some(last)) = (follow_each_other.first(), follow_each_other.last()) else {
                continue;
            };
            if self.cursor >= last.upto() {
                continue;
            }
            self.catch_up(first.previous).await?;
            for account in follow_each_other.iter().flat_map(|batch| &batch.batch.accounts) {
                self.teller.learn(account);
            }
            let cursor = self.cursor;
            let fresh: Vec<&[JournalRow]> = follow_each_other
                .iter()
                .map(|batch| batch.rows_after(cursor))
                .collect();
            self.publish(&fresh).await?;
        }
        Ok(())
    }

    /// Publishes from the journal, up to row `end`, which ends a command: one page while the next one is read.
    async fn catch_up(&mut self, end: u64) -> Result<(), Error> {
        if self.cursor >= end {
            return Ok(());
        }
        let mut connection = self.shared.db.own_connection().await?;
        let mut page = read_page(&mut connection, self.cursor, end).await?;
        while let Some(last) = page.last() {
            let next = read_page(&mut connection, last.id, end);
            let whole_page = [page.as_slice()];
            let (published, next) = tokio::join!(self.publish(&whole_page), next);
            published?;
            page = next?;
        }
        Ok(())
    }

    /// Publishes runs of rows that follow one another.
    async fn publish(&mut self, runs: &[&[JournalRow]]) -> Result<(), Error> {
        let Some(last) = runs.last().and_then(|rows| rows.last()) else {
            return Ok(());
        };
        let mut messages = Vec::new();
        for rows in runs {
            self.learn_missing(rows).await?;
            messages.extend(self.teller.messages(rows)?);
        }
        let topics: Vec<_> = messages.iter().map(|message| message.topic.clone()).collect();
        let mut receipts = Vec::new();
        if !messages.is_empty() {
            kill::point("engine.before_publish");
            receipts = self.bus.publish(messages).await.map_err(Error::Publish)?;
            kill::point("engine.after_publish");
        }
        let taken: Vec<(&str, Receipt)> = topics.iter().map(|topic| &**topic).zip(receipts).collect();
        self.watch.note(taken.iter().copied());
        self.cursors
            .run(async |connection| store::set_relay_cursor(connection, last.id, &taken).await)
            .await?;
        self.cursor = last.id;
        Ok(())
    }

    /// Reads the accounts that rows name and that are not known here.
    async fn learn_missing(&mut self, rows: &[JournalRow]) -> Result<(), Error> {
        if !self.teller.knows(rows) {
            let shard = self.shared.config.shard;
            for account in
                store::accounts_between(self.shared.db.pool(), shard, self.accounts_upto, u32::MAX >> 1)
                    .await?
            {
                self.accounts_upto = account.id;
                self.teller.learn(&account);
            }
        }
        Ok(())
    }
}
