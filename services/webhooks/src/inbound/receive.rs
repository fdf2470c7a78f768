//! Taking an event in: check, store, start its flow, in one transaction before the answer.

use ferrex_fault::Classify as _;
use ferrex_flows::{Actor, Runner};
use ferrex_ids::InboundEventId;
use ferrex_postgres::{Db, Error as DbError};
use ferrex_time::SharedClock;

use super::error::Error;
use super::flow::{InboundWebhook, WebhookInput, WebhookState};
use super::model::{Accepted, Headers, InboundEvent, Source, order_key};
use super::signature::{self, Refusal, Signed};
use super::store;

/// What taking an event in needs.
pub(crate) struct Receiver {
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) runner: Runner<InboundWebhook>,
    pub(crate) quarantine_rows_max: u32,
}

/// What storing an event found.
enum Stored {
    New(InboundEventId),
    /// The same event, whose body is the same or not.
    Known(InboundEventId, bool),
}

impl Receiver {
    /// Takes an event in, or refuses it and puts it aside.
    pub(crate) async fn receive(
        &self,
        name: &str,
        source: &Source,
        headers: Headers,
        body: Vec<u8>,
    ) -> Result<Accepted, Error> {
        if let Err(error) = self.check(source, &headers, &body) {
            self.put_aside(name, error.code(), &headers, &body).await?;
            return Err(error);
        }
        let event = self.event(name, source, headers, body)?;
        match self.store(&event).await? {
            Stored::New(id) => Ok(Accepted::New(id)),
            Stored::Known(id, true) => Ok(Accepted::Duplicate(id)),
            Stored::Known(id, false) => {
                // Signed, under a known id, with other content. Sending it again helps nobody, so it is kept for a
                // person to look at.
                let error = Error::OtherBody(id);
                self.put_aside(name, error.code(), &event.headers, &event.body)
                    .await?;
                Ok(Accepted::Duplicate(id))
            }
        }
    }

    /// Takes in an event that was refused, whatever its age (H078).
    pub(crate) async fn release(
        &self,
        name: &str,
        source: &Source,
        headers: Headers,
        body: Vec<u8>,
    ) -> Result<Accepted, Error> {
        signature::verify(signed(&headers), &body, &source.secrets)?;
        check_text(&body)?;
        match self.store(&self.event(name, source, headers, body)?).await? {
            Stored::New(id) => Ok(Accepted::New(id)),
            Stored::Known(id, true) => Ok(Accepted::Duplicate(id)),
            Stored::Known(id, false) => Err(Error::OtherBody(id)),
        }
    }

    fn check(&self, source: &Source, headers: &Headers, body: &[u8]) -> Result<(), Error> {
        let moment = signature::verify(signed(headers), body, &source.secrets)?;
        signature::check_age(moment, self.clock.now(), source.tolerance_seconds)?;
        check_text(body)
    }

    fn event(
        &self,
        name: &str,
        source: &Source,
        headers: Headers,
        body: Vec<u8>,
    ) -> Result<InboundEvent, Error> {
        Ok(InboundEvent {
            id: InboundEventId::new_at(self.clock.unix_ms()),
            source: name.to_owned(),
            event_id: headers.get("webhook-id").cloned().ok_or(Refusal::Headers)?,
            received_at: self.clock.now(),
            order_key: order_key(name, source.order_key_pointer.as_deref(), &body),
            headers,
            body,
        })
    }

    async fn store(&self, event: &InboundEvent) -> Result<Stored, Error> {
        let id = event.id;
        let mut tx = self.db.begin().await?;
        if !store::insert(&mut tx, event).await? {
            // The insert waited for whoever was first, so that row is there to be read.
            let known = store::find_by_event_id(&mut tx, &event.source, &event.event_id, &event.body).await?;
            let (id, same) = known.ok_or(Error::UnknownEvent(id))?;
            metrics::counter!("webhooks_duplicate_total", "source" => event.source.clone()).increment(1);
            return Ok(Stored::Known(id, same));
        }
        self.runner
            .start(
                &mut tx,
                id.cast(),
                WebhookState::Received,
                WebhookInput::Stored,
                &Actor::SYSTEM,
            )
            .await
            .map_err(Error::flow(id))?;
        tx.commit().await.map_err(DbError::Commit)?;
        self.runner.nudge();
        metrics::counter!("webhooks_received_total", "source" => event.source.clone()).increment(1);
        Ok(Stored::New(id))
    }

    async fn put_aside(
        &self,
        name: &str,
        reason: &'static str,
        headers: &Headers,
        body: &[u8],
    ) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        store::quarantine(
            &mut tx,
            name,
            reason,
            now,
            headers,
            body,
            self.quarantine_rows_max,
        )
        .await?;
        tx.commit().await.map_err(DbError::Commit)?;
        metrics::counter!("webhooks_refused_total", "source" => name.to_owned(), "reason" => reason)
            .increment(1);
        tracing::warn!(source = name, reason, "a webhook was put aside");
        Ok(())
    }
}

fn signed(headers: &Headers) -> Signed<'_> {
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
    }
}

/// The bus carries JSON, which is text.
fn check_text(body: &[u8]) -> Result<(), Error> {
    std::str::from_utf8(body).map(drop).map_err(|_| Error::NotText)
}
