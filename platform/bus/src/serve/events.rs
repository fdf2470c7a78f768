//! One event: inbox and handler in one transaction, alone or with others, retries, parking.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use ferrex_contracts::envelope::header;
use ferrex_fault::{Classify, Fault, Kind};
use ferrex_postgres::{Db, Tx};
use ferrex_runtime::{Backoff, kill};
use futures::FutureExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::dispatch::Processor;
use super::together::{Room, Waiting};
use crate::inbox::{self, Entry, Remembers};
use crate::message::Delivery;
use crate::parked::{self, Parking};
use crate::router::{EventRoute, Router};
use crate::transport::Incoming;
use crate::{Error, trace};

pub(super) struct EventProcessor {
    pub db: Db,
    pub router: Router,
    slots: Arc<Semaphore>,
    room: Room,
}

/// What waiting for a slot ended with.
enum Turn<'s> {
    Slot(SemaphorePermit<'s>),
    /// Another handled the message together with its own.
    Handled,
    Stopped,
}

/// How one attempt ended without a failure.
enum Ended {
    Handled,
    /// It took effect before.
    Duplicate,
    /// An earlier message of its key is parked.
    Blocked,
}

/// How one attempt failed.
enum Failure {
    /// The service's database is away; not the message's fault and not counted.
    Database(Error),
    Fault(Fault),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.kind() == Kind::Unavailable {
            Self::Database(error)
        } else {
            Self::Fault(error.into())
        }
    }
}

impl From<ferrex_postgres::Error> for Failure {
    fn from(error: ferrex_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

/// Why a message goes to the parked ones.
enum Reason {
    Fault(Fault),
    /// It waits behind another.
    Behind,
}

impl EventProcessor {
    pub fn new(db: Db, router: Router) -> Self {
        let slots = Arc::new(Semaphore::new(router.events_at_once));
        Self {
            db,
            router,
            slots,
            room: Room::default(),
        }
    }

    /// The handler's work on messages, within `tx`, under the first one's trace; a panic is a fault.
    pub async fn call(&self, route: &EventRoute, deliveries: &[Delivery], tx: &mut Tx) -> Result<(), Fault> {
        let Some(first) = deliveries.first() else {
            return Ok(());
        };
        let parent = trace::child(first.traceparent());
        let span = tracing::info_span!(
            "event",
            message.r#type = &*first.message_type,
            message.id = %first.id,
            messages = deliveries.len(),
            topic = &*first.topic,
            partition = first.partition,
            offset = first.offset,
            trace_id = trace::trace_id(&parent).unwrap_or_default(),
        );
        // The call itself runs inside the future too, so that a panic before its first await is caught as well.
        let work = async { (route.call)(deliveries, tx).await };
        let work = trace::scope(parent, AssertUnwindSafe(work).catch_unwind()).instrument(span);
        work.await.unwrap_or_else(|panic| Err(panic_fault(&*panic)))
    }

    async fn attempt(&self, route: &EventRoute, delivery: &Delivery) -> Result<Ended, Failure> {
        let ordered = route.ordered && !delivery.key.is_empty();
        let mut tx = self.db.begin().await?;
        match inbox::enter(&mut tx, self.router.group, route.remembers, delivery, ordered).await? {
            Entry::Fresh => {}
            Entry::Seen => return Ok(Ended::Duplicate),
            Entry::Blocked => return Ok(Ended::Blocked),
        }
        self.call(route, std::slice::from_ref(delivery), &mut tx)
            .await
            .map_err(Failure::Fault)?;
        kill::point_with("bus.before_effect_commit", &delivery.message_type);
        tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
        kill::point_with("bus.after_effect_commit", &delivery.message_type);
        Ok(Ended::Handled)
    }

    /// All of a batch or nothing. `false`: one of them is blocked, so each must be looked at alone.
    async fn attempt_batch(&self, route: &EventRoute, deliveries: Vec<Delivery>) -> Result<bool, Failure> {
        let mut tx = self.db.begin().await?;
        let group = self.router.group;
        let fresh = inbox::enter_all(&mut tx, group, route.remembers, deliveries, route.ordered).await?;
        let Some(fresh) = fresh else {
            return Ok(false);
        };
        self.call(route, &fresh, &mut tx).await.map_err(Failure::Fault)?;
        kill::point("bus.before_batch_commit");
        tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
        kill::point("bus.after_batch_commit");
        Ok(true)
    }

    async fn slot(&self, stop: &CancellationToken) -> Turn<'_> {
        tokio::select! {
            biased;
            () = stop.cancelled() => Turn::Stopped,
            slot = self.slots.acquire() => slot.map_or(Turn::Stopped, Turn::Slot),
        }
    }

    /// Waits for a slot, or until who has one handled this message too.
    async fn turn(&self, delivery: &Delivery, stop: &CancellationToken) -> Turn<'_> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Turn::Slot(slot);
        }
        let (number, mut outcome) = self.room.enter(delivery.clone());
        let handled = tokio::select! {
            biased;
            handled = &mut outcome => handled,
            () = stop.cancelled() => {
                if self.room.leave(number) {
                    return Turn::Stopped;
                }
                outcome.await
            }
            slot = self.slots.acquire() => {
                if self.room.leave(number) {
                    return slot.map_or(Turn::Stopped, Turn::Slot);
                }
                drop(slot);
                outcome.await
            }
        };
        // An error: who took it was told to stop.
        if handled == Ok(true) {
            Turn::Handled
        } else {
            self.slot(stop).await
        }
    }

    /// Handles a message with those that wait, if any do; `false`: it is to be handled alone.
    async fn lead(&self, delivery: &Delivery) -> bool {
        let others = self.room.take();
        if others.is_empty() {
            return false;
        }
        let (mut group, mut waiting) = (vec![delivery.clone()], Vec::with_capacity(others.len()));
        for Waiting { delivery, done, .. } in others {
            group.push(delivery);
            waiting.push(done);
        }
        let handled = match self.attempt_together(group).await {
            Ok(handled) => handled,
            Err(Failure::Fault(fault)) => {
                let (code, reason) = (&*fault.code, fault.chain());
                tracing::debug!(
                    code,
                    reason,
                    "messages handled together failed, handling each alone"
                );
                false
            }
            // Each of them waits for the database on its own.
            Err(Failure::Database(_)) => false,
        };
        for done in waiting {
            // Its task was told to stop.
            let _ = done.send(handled);
        }
        handled
    }

    /// All or nothing, like [`Self::attempt_batch`], for messages of different types and keys.
    async fn attempt_together(&self, mut group: Vec<Delivery>) -> Result<bool, Failure> {
        // In one order everywhere, so that two groups do not lock what belongs to their keys crosswise.
        group.sort_by(|one, other| one.key.cmp(&other.key));
        let mut tx = self.db.begin().await?;
        let consumer = self.router.group;
        // Of several types, so that all are remembered, also one that need not be.
        let fresh = inbox::enter_all(&mut tx, consumer, Remembers::All, group, true).await?;
        let Some(mut fresh) = fresh else {
            return Ok(false);
        };
        for delivery in &mut fresh {
            delivery.attempt = 1;
            let Some(route) = self.router.event_route(delivery) else {
                return Ok(false);
            };
            self.call(route, std::slice::from_ref(delivery), &mut tx)
                .await
                .map_err(Failure::Fault)?;
        }
        for delivery in &fresh {
            kill::point_with("bus.before_effect_commit", &delivery.message_type);
        }
        tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
        for delivery in &fresh {
            kill::point_with("bus.after_effect_commit", &delivery.message_type);
        }
        Ok(true)
    }

    /// `false` when the message turned out not to be blocked any more.
    async fn park(&self, delivery: &Delivery, ordered: bool, reason: &Reason) -> Result<bool, Error> {
        let ordered = ordered && !delivery.key.is_empty();
        let parking = match reason {
            Reason::Behind => parked::park_behind(&self.db, self.router.group, delivery).await?,
            Reason::Fault(fault) => {
                parked::park(&self.db, self.router.group, delivery, ordered, fault).await?
            }
        };
        match (&parking, reason) {
            (Parking::Parked(id), Reason::Fault(fault)) => tracing::error!(
                parked = id,
                message.r#type = &*delivery.message_type,
                message.id = %delivery.id,
                topic = &*delivery.topic,
                partition = delivery.partition,
                offset = delivery.offset,
                attempts = delivery.attempt,
                code = &*fault.code,
                reason = fault.chain(),
                "message parked"
            ),
            (Parking::Parked(id), Reason::Behind) => tracing::warn!(
                parked = id,
                message.r#type = &*delivery.message_type,
                message.id = %delivery.id,
                key = &*delivery.key,
                "message parked behind an earlier one of its key"
            ),
            (Parking::AlreadyDone | Parking::NotBlocked, _) => {}
        }
        Ok(!matches!(parking, Parking::NotBlocked))
    }

    fn count(&self, delivery: &Delivery, outcome: &'static str) {
        metrics::counter!(
            "ferrex_bus_events_total",
            "group" => self.router.group,
            "type" => delivery.message_type.to_string(),
            "outcome" => outcome
        )
        .increment(1);
    }
}

#[async_trait]
impl Processor for EventProcessor {
    fn batch<'i>(&self, incoming: &'i Incoming) -> Option<&'i str> {
        let message_type = incoming.headers.text(header::TYPE)?;
        self.router
            .events
            .get(message_type)
            .filter(|route| route.batched)?;
        Some(message_type)
    }

    async fn process_batch(&self, batch: &[Incoming], stop: &CancellationToken) -> bool {
        let deliveries: Vec<Delivery> = batch.iter().cloned().map(Delivery::read).collect();
        let Some((first, count)) = deliveries
            .first()
            .cloned()
            .zip(u64::try_from(deliveries.len()).ok())
        else {
            return true;
        };
        let Some(route) = self.router.event_route(&first) else {
            return false;
        };
        let _slot = tokio::select! {
            biased;
            () = stop.cancelled() => return false,
            slot = self.slots.acquire() => slot,
        };
        let done = self.attempt_batch(route, deliveries).await;
        let (done, outcome) = match done {
            Ok(true) => (true, "handled"),
            Ok(false) => (false, "batch_blocked"),
            Err(Failure::Fault(fault)) => {
                let (code, reason) = (&*fault.code, fault.chain());
                tracing::warn!(
                    message.r#type = &*first.message_type,
                    count,
                    code,
                    reason,
                    "a batch failed, handling each alone"
                );
                (false, "batch_failed")
            }
            // Each of them waits for the database on its own.
            Err(Failure::Database(_)) => (false, "batch_failed"),
        };
        metrics::counter!(
            "ferrex_bus_events_total",
            "group" => self.router.group,
            "type" => first.message_type.to_string(),
            "outcome" => outcome
        )
        .increment(count);
        done
    }

    async fn process(&self, incoming: Incoming, stop: &CancellationToken) -> bool {
        let mut delivery = Delivery::read(incoming);
        let route = match self.router.event_route(&delivery) {
            Some(route) => Some(route),
            // A type that this service does not care for.
            None if delivery.is_typed() => return true,
            None => None,
        };
        let ordered = route.is_none_or(|route| route.ordered);
        let policy = self.router.retry;
        let mut pauses = Backoff::new(policy.first, policy.cap);
        let mut outages = Backoff::default();
        delivery.attempt = 0;
        // Once: what failed together is handled alone from then on.
        let mut together = route.is_some_and(|route| !route.batched);
        loop {
            let turn = if together {
                self.turn(&delivery, stop).await
            } else {
                self.slot(stop).await
            };
            let slot = match turn {
                Turn::Slot(slot) => slot,
                Turn::Handled => {
                    self.count(&delivery, "handled");
                    return true;
                }
                Turn::Stopped => return false,
            };
            if std::mem::take(&mut together) && self.lead(&delivery).await {
                self.count(&delivery, "handled");
                return true;
            }
            delivery.attempt += 1;
            let ended = match route {
                Some(route) => self.attempt(route, &delivery).await,
                None => Err(Failure::Fault(Fault::new(
                    Kind::Invalid,
                    "bus.message.untyped",
                    "the message names no type and its topic has several handlers",
                ))),
            };
            let failure = match ended {
                Ok(Ended::Handled) => {
                    self.count(&delivery, "handled");
                    return true;
                }
                Ok(Ended::Duplicate) => {
                    self.count(&delivery, "duplicate");
                    return true;
                }
                Ok(Ended::Blocked) => match self.park(&delivery, ordered, &Reason::Behind).await {
                    Ok(true) => {
                        self.count(&delivery, "parked_behind");
                        return true;
                    }
                    Ok(false) => {
                        delivery.attempt -= 1;
                        continue;
                    }
                    Err(error) => Failure::Database(error),
                },
                Err(Failure::Fault(fault))
                    if fault.kind.is_transient() && delivery.attempt < policy.attempts =>
                {
                    Failure::Fault(fault)
                }
                Err(Failure::Fault(fault)) => {
                    match self.park(&delivery, ordered, &Reason::Fault(fault)).await {
                        Ok(_) => {
                            self.count(&delivery, "parked");
                            return true;
                        }
                        Err(error) => Failure::Database(error),
                    }
                }
                Err(failure) => failure,
            };
            drop(slot);
            let pause = match failure {
                Failure::Fault(fault) => {
                    let pause = pauses.next_pause();
                    tracing::warn!(
                        message.r#type = &*delivery.message_type,
                        message.id = %delivery.id,
                        attempt = delivery.attempt,
                        code = &*fault.code,
                        reason = fault.chain(),
                        ?pause,
                        "handling failed, trying again"
                    );
                    pause
                }
                Failure::Database(error) => {
                    delivery.attempt -= 1;
                    let pause = outages.next_pause();
                    if outages.failures() == 1 {
                        tracing::warn!(
                            reason = Fault::from(error).chain(),
                            "no database for messages, waiting for it"
                        );
                    }
                    pause
                }
            };
            self.count(&delivery, "retried");
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

pub(super) fn panic_fault(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    let detail = format!("the handler panicked: {}", text.unwrap_or("without a text"));
    Fault::new(Kind::Internal, "bus.handler.panicked", detail)
}
