//! One request: its deadline, its handler, its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use ferrex_contracts::envelope::header;
use ferrex_fault::{Fault, Kind};
use ferrex_time::Timestamp;
use futures::FutureExt as _;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::dispatch::Processor;
use super::events::panic_fault;
use crate::message::Delivery;
use crate::request::{RequestContext, answer};
use crate::router::Router;
use crate::transport::{Incoming, Urgency};
use crate::{Bus, trace};

pub(super) struct RequestProcessor {
    bus: Bus,
    router: Router,
    slots: Arc<Semaphore>,
}

impl RequestProcessor {
    pub fn new(bus: Bus, router: Router) -> Self {
        let slots = Arc::new(Semaphore::new(router.requests_at_once));
        Self { bus, router, slots }
    }

    fn is_late(&self, deadline: Option<Timestamp>) -> bool {
        deadline.is_some_and(|deadline| self.bus.inner.clock.now() >= deadline)
    }

    async fn handle(&self, delivery: &Delivery, deadline: Option<Timestamp>) -> Result<Value, Fault> {
        let Some(route) = self.router.request_route(delivery) else {
            let detail = format!(
                "{} answers no request of type {}",
                self.router.group, delivery.message_type
            );
            return Err(Fault::new(Kind::NotFound, "bus.request.unknown_type", detail));
        };
        let context = RequestContext {
            id: delivery.id,
            key: delivery.key.clone(),
            source: delivery.source.clone(),
            at: delivery.at,
            deadline,
        };
        let parent = trace::child(delivery.traceparent());
        let span = tracing::info_span!(
            "request",
            message.r#type = &*delivery.message_type,
            message.id = %delivery.id,
            trace_id = trace::trace_id(&parent).unwrap_or_default(),
        );
        let work = async { (route.call)(context, delivery).await };
        let work = trace::scope(parent, AssertUnwindSafe(work).catch_unwind()).instrument(span);
        work.await.unwrap_or_else(|panic| Err(panic_fault(&*panic)))
    }

    fn count(&self, delivery: &Delivery, outcome: &'static str) {
        metrics::counter!(
            "ferrex_bus_requests_total",
            "group" => self.router.group,
            "type" => delivery.message_type.to_string(),
            "outcome" => outcome
        )
        .increment(1);
    }
}

#[async_trait]
impl Processor for RequestProcessor {
    fn batch<'i>(&self, _: &'i Incoming) -> Option<&'i str> {
        None
    }

    async fn process_batch(&self, _: &[Incoming], _: &CancellationToken) -> bool {
        false
    }

    async fn process(&self, incoming: Incoming, stop: &CancellationToken) -> bool {
        let delivery = Delivery::read(incoming);
        let headers = &delivery.headers;
        let deadline = headers
            .text(header::DEADLINE)
            .and_then(|text| text.parse::<i64>().ok())
            .map(|ms| ferrex_time::from_micros(ms.saturating_mul(1_000)));
        let reply_to = headers.text(header::REPLY_TOPIC).zip(
            headers
                .text(header::REPLY_PARTITION)
                .and_then(|partition| partition.parse::<i32>().ok()),
        );
        let correlation = headers.text(header::CORRELATION);
        if correlation.is_none() && self.router.request_route(&delivery).is_none() {
            // An event that happens to stand on this topic.
            return true;
        }
        let slot = tokio::select! {
            biased;
            () = stop.cancelled() => return false,
            slot = self.slots.acquire() => slot,
        };
        if self.is_late(deadline) {
            self.count(&delivery, "late");
            return true;
        }
        let result = self.handle(&delivery, deadline).await;
        // The next may begin while this one's answer is on its way.
        drop(slot);
        self.count(&delivery, if result.is_ok() { "ok" } else { "fault" });
        if let Err(fault) = &result
            && fault.kind == Kind::Internal
        {
            tracing::error!(
                message.r#type = &*delivery.message_type,
                message.id = %delivery.id,
                code = &*fault.code,
                reason = fault.chain(),
                "answering a request failed"
            );
        }
        if let (Some(correlation), Some(reply_to)) = (correlation, reply_to)
            && !self.is_late(deadline)
        {
            let bare_strings = headers.get(header::ID).is_none();
            let record = answer(correlation, reply_to, bare_strings, result);
            if let Err(error) = self
                .bus
                .inner
                .transport
                .publish(vec![record], Urgency::Fast)
                .await
            {
                tracing::warn!(
                    reason = Fault::from(error).chain(),
                    "an answer could not be sent, its asker will time out"
                );
            }
        }
        true
    }
}
