//! What this service takes from the bus.

use ferrex_bus::Router;
use ferrex_contracts::cron::CronTick;

use crate::jobs::ledger_audit::{JOB, LedgerAudit};

/// Handlers of the group `engine`.
pub(crate) fn router(audit: LedgerAudit) -> Router {
    Router::new("engine").on_event::<CronTick, _>(move |delivery, tick, _| {
        let (audit, asked_at) = (audit.clone(), delivery.at);
        Box::pin(async move {
            if tick.job == JOB {
                audit.ask(asked_at).await?;
            }
            Ok(())
        })
    })
}
