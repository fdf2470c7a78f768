//! Job `ledger_audit`: recomputes the invariants from the journal, says on the operations port when one is broken, and
//! tells the others, so that payment lets the assets concerned rest.
//!
//! An audit reads the whole journal, which may take minutes: the tick is only written down, and a task of its own makes the audit
//! beside. Then it rests, so that audits take no more than a tenth of a processor, however often they are asked for; what
//! was asked for meanwhile is one audit.

use std::sync::Arc;
use std::time::Duration;

use ferrex_bus::{Bus, Outgoing};
use ferrex_contracts::engine::LedgerAudited;
use ferrex_fault::{Fault, Kind};
use ferrex_ids::MessageId;
use ferrex_money::AssetId;
use ferrex_postgres::Db;
use ferrex_runtime::{Backoff, ReadyFlag};
use ferrex_time::{SharedClock, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Error, audit, store};

/// The job's name.
pub(crate) const JOB: &str = "ledger_audit";

/// It rests so many times as long as an audit took.
const RESTS: u32 = 9;

/// What the job works with. Clones share it.
#[derive(Clone)]
pub(crate) struct LedgerAudit {
    db: Db,
    bus: Bus,
    clock: SharedClock,
    /// Missing while the last audit has findings.
    books: ReadyFlag,
    asked: Arc<Notify>,
}

impl LedgerAudit {
    pub(crate) fn new(db: Db, bus: Bus, clock: SharedClock, books: ReadyFlag) -> Self {
        Self {
            db,
            bus,
            clock,
            books,
            asked: Arc::default(),
        }
    }

    /// Has an audit made, in this process or in one after it.
    pub(crate) async fn ask(&self, at: Timestamp) -> Result<(), Error> {
        store::ask_for_audit(self.db.pool(), at).await?;
        self.asked.notify_one();
        Ok(())
    }

    /// Makes what is asked for, without end. What could not be told is made again.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            let started = Instant::now();
            let rest = match self.make_next().await {
                Ok(true) => {
                    backoff.reset();
                    started.elapsed() * RESTS
                }
                Ok(false) => {
                    self.asked.notified().await;
                    Duration::ZERO
                }
                Err(fault) => {
                    tracing::warn!(reason = fault.chain(), "the ledger cannot be audited now");
                    backoff.next_pause()
                }
            };
            tokio::time::sleep(rest).await;
        }
    }

    /// Makes the audit that is asked for; false when none is.
    async fn make_next(&self) -> Result<bool, Fault> {
        let Some(asked_at) = store::audit_asked_for(self.db.pool()).await? else {
            return Ok(false);
        };
        self.make(asked_at).await?;
        store::audit_is_made(self.db.pool(), asked_at).await?;
        Ok(true)
    }

    /// Audits on a connection of its own. What is found stands until an audit does not find it any more.
    async fn make(&self, asked_at: Timestamp) -> Result<(), Fault> {
        let mut connection = self.db.own_connection().await?;
        let report = audit::audit(&mut connection).await.map_err(|error| {
            let reason = crate::error::chain(&error);
            Fault::new(Kind::Unavailable, "engine.audit.unavailable", reason)
        })?;
        drop(connection);
        if report.is_clean() {
            tracing::info!(
                rows = report.rows,
                commands = report.commands,
                "ledger audit is clean"
            );
            self.books.set_ready();
        } else {
            tracing::error!(%report, "the ledger audit found something: withdrawals of the assets concerned rest, look");
            self.books
                .set_missing(format!("the ledger audit has {} findings", report.found));
        }
        // A number that no asset can have concerns all of them.
        let (mut assets, mut concerns_all) = (Vec::new(), report.concerns_all);
        for number in &report.assets_at_fault {
            match u32::try_from(*number) {
                Ok(number) => assets.push(AssetId(number)),
                Err(_) => concerns_all = true,
            }
        }
        let event = LedgerAudited {
            at: asked_at,
            findings: report.found,
            assets,
            concerns_all,
        };
        let id = MessageId::new_at(self.clock.unix_ms());
        let message = Outgoing::event("engine", id, "ledger", self.clock.now(), &event);
        self.bus.publish(vec![message]).await?;
        Ok(())
    }
}
