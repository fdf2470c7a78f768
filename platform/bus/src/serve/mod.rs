//! Running a router: two memberships (events, requests), the redriver of parked messages, the cleaning of the inbox, the
//! watch over what waits.

mod dispatch;
mod events;
mod lag;
mod redrive;
mod requests;
mod together;

use std::sync::Arc;
use std::time::Duration;

use ferrex_postgres::Db;
use tokio_util::sync::CancellationToken;

use crate::{Bus, Error, Router, inbox};
use dispatch::Member;
use events::EventProcessor;
use requests::RequestProcessor;

const CLEAN_EVERY: Duration = Duration::from_hours(1);

/// The consumer group of a service's requests; that of its events has the service's name.
fn request_group(group: &str) -> String {
    format!("{group}.requests")
}

/// Handles messages until `shutdown` is cancelled, then finishes what is in work, commits its positions and leaves its
/// groups.
///
/// Its database and the broker may come and go meanwhile. It fails when the broker cannot be reached at the start or no
/// longer has the group's position; run it under `ferrex_runtime::supervise`.
pub async fn serve(bus: &Bus, db: &Db, router: Router, shutdown: CancellationToken) -> Result<(), Error> {
    // One part that fails stops the others, which then leave in order.
    let stop = shutdown.child_token();
    let (event_topics, request_topics) = (router.event_topics(), router.request_topics());
    let topics: Vec<String> = event_topics.iter().chain(&request_topics).cloned().collect();
    bus.inner.transport.ensure_topics(&topics).await?;

    let events = Arc::new(EventProcessor::new(db.clone(), router.clone()));
    let handling_events = async {
        if event_topics.is_empty() {
            return Ok(());
        }
        let subscription = bus.inner.transport.subscribe(router.group, &event_topics).await?;
        Member::new(subscription, Arc::clone(&events))
            .run(stop.clone())
            .await
    };
    let handling_requests = async {
        if request_topics.is_empty() {
            return Ok(());
        }
        let group = request_group(router.group);
        let subscription = bus.inner.transport.subscribe(&group, &request_topics).await?;
        let processor = Arc::new(RequestProcessor::new(bus.clone(), router.clone()));
        Member::new(subscription, processor).run(stop.clone()).await
    };
    let redriving = async {
        if !event_topics.is_empty() {
            redrive::run(&events, &stop).await;
        }
        Ok(())
    };
    let cleaning = async {
        while !event_topics.is_empty() && !stop.is_cancelled() {
            if let Err(error) = inbox::clean(db, router.inbox_days).await {
                tracing::warn!(%error, "cleaning the inbox failed, it will be tried again");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(CLEAN_EVERY) => {}
            }
        }
        Ok(())
    };
    let watching = async {
        if !event_topics.is_empty() {
            lag::watch(bus, router.group, &event_topics, &stop).await;
        }
        Ok(())
    };
    let (events, requests, redrive, clean, watch) = tokio::join!(
        stopping(&stop, handling_events),
        stopping(&stop, handling_requests),
        stopping(&stop, redriving),
        stopping(&stop, cleaning),
        stopping(&stop, watching),
    );
    events.and(requests).and(redrive).and(clean).and(watch)
}

async fn stopping<F>(stop: &CancellationToken, part: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let outcome = part.await;
    if outcome.is_err() {
        stop.cancel();
    }
    outcome
}
