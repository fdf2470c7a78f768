//! Balances, holds and orders in tables for whoever reads them: a fraction of a second behind the journal, under load up to
//! [`LONGEST_REST`] and the time of one projection.

use std::time::Duration;

use ferrex_engine_core::Engine;
use ferrex_fault::Classify as _;
use ferrex_runtime::Backoff;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::Error;
use crate::shared::Shared;
use crate::store::{self, Projected};

/// After a projection the tables are left alone for so many times as long as it took. What changes often is then written
/// once instead of many times, and a tenth of one backend's time is all that it takes.
const REST: u32 = 9;
/// But not for longer than this. The more accounts are used, the more of a page's rows must change together to be worth writing it.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Writes one projection at a time beside the owner's loop.
pub(crate) struct Projector {
    shared: Shared,
    /// The tables are at this row; every change after it is either in flight or still in the engine.
    reached: u64,
    /// To the row that the tables will be at.
    writing: Option<(u64, AbortOnDropHandle<Result<u64, Error>>)>,
    started: Instant,
    rests_until: Instant,
}

impl Projector {
    pub(crate) fn new(shared: Shared, reached: u64) -> Self {
        let now = Instant::now();
        Self {
            shared,
            reached,
            writing: None,
            started: now,
            rests_until: now,
        }
    }

    /// Whether there is something to write for an engine that is at row `sequence`, none is being written, and the last was not a
    /// moment ago.
    pub(crate) fn is_due(&self, sequence: u64) -> bool {
        self.writing.is_none() && sequence != self.reached && Instant::now() >= self.rests_until
    }

    /// Whether the tables are at this row, or will be when what is being written is there. The engine that has decided nothing
    /// since has all of it in the journal.
    pub(crate) fn aims_at(&self, row: u64) -> bool {
        row == self.writing.as_ref().map_or(self.reached, |(to, _)| *to)
    }

    /// Starts to write what has changed, unless a projection is being written. All of it must be in the journal.
    pub(crate) fn start(&mut self, engine: &mut Engine) {
        let to = engine.sequence();
        if self.writing.is_some() || to == self.reached {
            return;
        }
        self.started = Instant::now();
        let projected = Projected {
            from: self.reached,
            to,
            // Ascending, as in the table, so that each page is touched once.
            changes: engine.drain_changes(),
            orders: engine.drain_order_changes(),
        };
        let writing = tokio::spawn(write(self.shared.clone(), projected));
        self.writing = Some((to, AbortOnDropHandle::new(writing)));
    }

    /// Returns the row reached when the projection in flight is written; never, when there is none.
    pub(crate) async fn written(&mut self) -> Result<u64, Error> {
        let Some((_, writing)) = &mut self.writing else {
            return std::future::pending().await;
        };
        let written = writing.await;
        self.writing = None;
        self.rests_until = Instant::now() + (self.started.elapsed() * REST).min(LONGEST_REST);
        self.reached = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        Ok(self.reached)
    }

    /// Waits for the projection in flight and writes a last one.
    pub(crate) async fn finish(&mut self, engine: &mut Engine) -> Result<(), Error> {
        if self.writing.is_some() {
            self.written().await?;
        }
        self.start(engine);
        if self.writing.is_some() {
            self.written().await?;
        }
        Ok(())
    }
}

/// Tries until it is written: the values are absolute, so a repetition does no harm.
async fn write(shared: Shared, projected: Projected) -> Result<u64, Error> {
    let mut backoff = Backoff::default();
    loop {
        match store::project(&shared.db, &projected).await {
            Ok(()) => return Ok(projected.to),
            Err(error) if matches!(error, Error::Database(_)) && error.kind().is_transient() => {
                let pause = backoff.next_pause();
                tracing::warn!(
                    error = crate::error::chain(&error),
                    "projection failed, trying again"
                );
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error),
        }
    }
}
