//! `cron.tick.v1`: the jobs that payment owns.

use ferrex_bus::Router;
use ferrex_contracts::cron::CronTick;

use crate::{Payment, jobs};

/// Adds the handler. Ticks of other services' jobs pass by.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let payment = payment.clone();
    router.on_unordered_event::<CronTick, _>(move |_, tick, _| {
        let payment = payment.clone();
        Box::pin(async move {
            match tick.job.as_str() {
                jobs::hold_expiry::JOB => jobs::hold_expiry::run(&payment.context).await,
                jobs::fee_tiers::JOB => jobs::fee_tiers::run(&payment.context).await,
                jobs::order_expiry::JOB => jobs::order_expiry::run(&payment.context).await,
                _ => Ok(()),
            }
        })
    })
}
