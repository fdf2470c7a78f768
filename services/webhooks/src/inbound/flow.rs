//! The flow `webhook.inbound`: stored, put on the bus, done; again on demand.

use std::sync::Arc;

use async_trait::async_trait;
use ferrex_bus::{Outgoing, outbox};
use ferrex_contracts::webhooks::WebhookReceived;
use ferrex_fault::{Fault, Kind};
use ferrex_flows::{EffectContext, Flow, Performed, Performer, Step};
use ferrex_ids::InboundEventId;
use ferrex_postgres::{Db, Error as DbError};
use ferrex_time::{SharedClock, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::store;
use crate::SCHEMA;

/// The machine of one inbound event. Its flow's id is the event's.
#[derive(Clone, Copy, Debug, Default)]
pub struct InboundWebhook;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum WebhookState {
    /// It has come in.
    Received,
    /// It is to be put on the bus.
    Queued,
    /// It is on the bus.
    Forwarded,
}

/// What can happen to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WebhookInput {
    /// It was stored.
    Stored,
    /// It is on the bus.
    Forwarded,
    /// Staff want it on the bus once more.
    Replay,
}

/// What an event wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WebhookAction {
    /// Put it on the bus.
    Forward,
}

impl Flow for InboundWebhook {
    const KIND: &'static str = "webhook.inbound";
    const LABELS: &'static [&'static str] = &["received", "queued", "forwarded"];
    type State = WebhookState;
    type Input = WebhookInput;
    type Action = WebhookAction;

    fn step(&self, state: &WebhookState, input: &WebhookInput, _at: Timestamp) -> Result<Step<Self>, Fault> {
        match (state, input) {
            (WebhookState::Received, WebhookInput::Stored)
            | (WebhookState::Forwarded, WebhookInput::Replay) => Ok(Step::to(WebhookState::Queued)
                .act(WebhookAction::Forward)
                .waiting_for("its turn to go on the bus")),
            (WebhookState::Queued, WebhookInput::Forwarded) => Ok(Step::to(WebhookState::Forwarded)),
            _ => Err(Fault::new(
                Kind::Conflict,
                "webhooks.event.state",
                format!("{input:?} does not fit {state:?}"),
            )),
        }
    }

    fn label(state: &WebhookState) -> &'static str {
        match state {
            WebhookState::Received => "received",
            WebhookState::Queued => "queued",
            WebhookState::Forwarded => "forwarded",
        }
    }

    fn is_final(state: &WebhookState) -> bool {
        matches!(state, WebhookState::Forwarded)
    }
}

/// Puts events on the bus.
pub(crate) struct Forwarder {
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
}

impl Forwarder {
    pub(crate) fn new(db: Db, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self { db, clock })
    }

    /// Marks the event and writes it into the outbox in one transaction; an effect that has done so does nothing. The
    /// message's id is the effect's, so a replay is a new message.
    async fn forward(&self, context: &EffectContext) -> Result<(), Error> {
        let id: InboundEventId = context.flow.cast();
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let Some(event) = store::mark_forwarded(&mut tx, id, context.effect, now).await? else {
            return Ok(());
        };
        let message = WebhookReceived {
            event: id,
            source: event.source,
            event_id: event.event_id,
            received_at: event.received_at,
            body: String::from_utf8(event.body).map_err(|_| Error::NotText)?,
        };
        let outgoing = Outgoing::event(
            SCHEMA.schema,
            context.effect.cast(),
            &event.order_key,
            now,
            &message,
        );
        outbox::put(&mut tx, &outgoing).await.map_err(Error::Outbox)?;
        tx.commit().await.map_err(DbError::Commit)?;
        Ok(())
    }
}

#[async_trait]
impl Performer<InboundWebhook> for Forwarder {
    async fn perform(&self, context: EffectContext, action: WebhookAction) -> Performed<WebhookInput> {
        match action {
            WebhookAction::Forward => match self.forward(&context).await {
                Ok(()) => Performed::Done(WebhookInput::Forwarded),
                Err(error) => Performed::Retry {
                    reason: Fault::from(error).detail,
                    after: None,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use ferrex_time::from_micros;

    use super::*;

    fn step(state: WebhookState, input: WebhookInput) -> Option<WebhookState> {
        InboundWebhook
            .step(&state, &input, from_micros(0))
            .ok()
            .map(|step| step.state)
    }

    #[test]
    fn i017_an_event_moves_only_along_its_edges() {
        use WebhookInput::{Forwarded as Done, Replay, Stored};
        use WebhookState::{Forwarded, Queued, Received};
        let edges = [
            (Received, Stored, Queued),
            (Queued, Done, Forwarded),
            (Forwarded, Replay, Queued),
        ];
        for state in [Received, Queued, Forwarded] {
            for input in [Stored, Done, Replay] {
                let expected = edges
                    .iter()
                    .find(|edge| (edge.0, edge.1) == (state, input))
                    .map(|edge| edge.2);
                assert_eq!(step(state, input), expected, "{state:?} {input:?}");
            }
        }
    }
}
