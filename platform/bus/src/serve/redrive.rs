//! Handling parked messages again when staff ask for it.

use std::time::Duration;

use ferrex_fault::{Fault, Kind};
use tokio_util::sync::CancellationToken;

use super::events::EventProcessor;
use crate::{Error, parked};

const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(processor: &EventProcessor, stop: &CancellationToken) {
    loop {
        match round(processor, stop).await {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(
                    reason = Fault::from(error).chain(),
                    "looking for messages to redrive failed"
                );
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn round(processor: &EventProcessor, stop: &CancellationToken) -> Result<(), Error> {
    for id in parked::requested(&processor.db, processor.router.group).await? {
        if stop.is_cancelled() {
            return Ok(());
        }
        again(processor, id).await?;
    }
    Ok(())
}

/// Handles one parked message: its effect and its removal are one transaction.
async fn again(processor: &EventProcessor, id: i64) -> Result<(), Error> {
    let mut tx = processor.db.begin().await?;
    let Some(delivery) = parked::take(&mut tx, id).await? else {
        return Ok(());
    };
    let outcome = match processor.router.event_route(&delivery) {
        Some(route) => {
            processor
                .call(route, std::slice::from_ref(&delivery), &mut tx)
                .await
        }
        None => Err(Fault::new(
            Kind::Invalid,
            "bus.message.unknown_type",
            "no handler for this type",
        )),
    };
    match outcome {
        Ok(()) => {
            parked::remove(&mut tx, id).await?;
            tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
            tracing::info!(parked = id, message.id = %delivery.id, "parked message handled");
        }
        Err(fault) => {
            tx.rollback().await?;
            let (code, reason) = (&*fault.code, fault.chain());
            tracing::error!(parked = id, message.id = %delivery.id, code, reason, "parked message failed again");
            parked::failed_again(&processor.db, id, &fault).await?;
        }
    }
    Ok(())
}
