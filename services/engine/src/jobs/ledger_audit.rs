//! Job `ledger_audit`: recomputes the invariants from the journal, says on the operations port when one is broken, and
//! tells the others, so that payment lets the assets concerned rest.

use ferrex_bus::{Bus, Outgoing};
use ferrex_contracts::engine::LedgerAudited;
use ferrex_fault::{Fault, Kind};
use ferrex_ids::MessageId;
use ferrex_money::AssetId;
use ferrex_postgres::Db;
use ferrex_runtime::ReadyFlag;
use ferrex_time::{SharedClock, Timestamp};

use crate::audit;

/// The job's name.
pub(crate) const JOB: &str = "ledger_audit";

/// What the job works with.
#[derive(Clone)]
pub(crate) struct LedgerAudit {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) clock: SharedClock,
    /// Missing while the last audit has findings.
    pub(crate) books: ReadyFlag,
}

impl LedgerAudit {
    /// Audits on a connection of its own. What is found stands until an audit does not find it any more; an audit that
    /// could not be told is made again.
    pub(crate) async fn run(&self, asked_at: Timestamp) -> Result<(), Fault> {
        let unavailable = |error: &dyn std::error::Error| {
            Fault::new(
                Kind::Unavailable,
                "engine.audit.unavailable",
                format!("the ledger cannot be audited now: {error}"),
            )
        };
        let mut connection = self
            .db
            .pool()
            .acquire()
            .await
            .map_err(|error| unavailable(&error))?;
        let report = audit::audit(&mut connection)
            .await
            .map_err(|error| unavailable(&error))?;
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
