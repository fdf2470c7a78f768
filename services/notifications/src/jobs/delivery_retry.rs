//! Job `delivery_retry`: deliveries that wait only because the mail server was away go out as soon as it answers, instead
//! of at the end of their pause.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::cron::CronTick;
use ferrex_fault::Fault;

use crate::delivery::Deliveries;

/// The job's name.
pub(crate) const JOB: &str = "delivery_retry";

pub(crate) async fn on_tick(deliveries: &Deliveries, _: &Meta, tick: CronTick) -> Result<(), Fault> {
    if tick.job != JOB {
        return Ok(());
    }
    let count = deliveries.rearm().await?;
    if count > 0 {
        tracing::info!(count, "deliveries that waited for the mail server are due now");
    }
    Ok(())
}
