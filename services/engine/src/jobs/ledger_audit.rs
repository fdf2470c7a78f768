//! Job `ledger_audit`: recomputes the invariants from the journal, and says on the operations port when one is broken.

use ferrex_fault::{Fault, Kind};
use ferrex_postgres::Db;
use ferrex_runtime::ReadyFlag;

use crate::audit;

/// The job's name.
pub(crate) const JOB: &str = "ledger_audit";

/// Audits on a connection of its own; a finding makes the part `books` missing until an audit is clean again.
pub(crate) async fn run(db: &Db, books: &ReadyFlag) -> Result<(), Fault> {
    let unavailable = |error: &dyn std::error::Error| {
        Fault::new(
            Kind::Unavailable,
            "engine.audit.unavailable",
            format!("the ledger cannot be audited now: {error}"),
        )
    };
    let mut connection = db.pool().acquire().await.map_err(|error| unavailable(&error))?;
    let report = audit::audit(&mut connection)
        .await
        .map_err(|error| unavailable(&error))?;
    if report.is_clean() {
        tracing::info!(
            rows = report.rows,
            commands = report.commands,
            "ledger audit is clean"
        );
        books.set_ready();
    } else {
        tracing::error!(%report, "the ledger audit found something: stop withdrawals and look");
        books.set_missing(format!("the ledger audit has {} findings", report.found));
    }
    Ok(())
}
