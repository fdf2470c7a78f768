//! `cron.tick`: the time of a job has come.

use ferrex_bus::Router;
use ferrex_contracts::cron::CronTick;

use crate::{Core, jobs};

/// Name of the job that deletes what is over.
pub const SESSION_CLEANUP: &str = "session_cleanup";

/// A tick that comes again finds nothing to delete.
pub(super) fn register(router: Router, core: Core) -> Router {
    let router = router.on_unordered_event::<CronTick, _>(move |_, tick, _| {
        let core = core.clone();
        Box::pin(async move {
            if tick.job == SESSION_CLEANUP {
                jobs::cleanup::run(&core).await?;
            }
            Ok(())
        })
    });
    router.without_inbox::<CronTick>()
}
