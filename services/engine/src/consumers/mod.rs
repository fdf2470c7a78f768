//! What this service takes from the bus.

use ferrex_bus::Router;
use ferrex_contracts::cron::CronTick;
use ferrex_postgres::Db;
use ferrex_runtime::ReadyFlag;

use crate::jobs::ledger_audit;

/// Handlers of the group `engine`.
pub(crate) fn router(db: Db, books: ReadyFlag) -> Router {
    Router::new("engine").on_event::<CronTick, _>(move |_, tick, _| {
        let (db, books) = (db.clone(), books.clone());
        Box::pin(async move {
            if tick.job == ledger_audit::JOB {
                ledger_audit::run(&db, &books).await
            } else {
                Ok(())
            }
        })
    })
}
