//! What `webhooks` says.

use ferrex_ids::InboundEventId;
use ferrex_time::Timestamp;

use crate::Decision;

messages! {
    /// An outside system told us something, with a valid signature.
    WebhookReceived {
        /// Our id of it.
        event: InboundEventId,
        /// Name of the source, such as `identity`.
        source: String,
        /// The sender's id of it, unique per source.
        event_id: String,
        /// When it reached us.
        received_at: Timestamp,
        /// The raw body, which is JSON text for every source so far.
        body: String,
    }
}

events! { "webhooks.received.v1": WebhookReceived = "webhooks.received" }

/// The source of identity decisions, as it stands in `/webhooks/identity` and in [`WebhookReceived::source`].
pub const IDENTITY_SOURCE: &str = "identity";

/// What [`IdentityEvent::event_type`] says about a decision.
pub const IDENTITY_DECIDED: &str = "applicant.decided";

messages! {
    /// The body of a webhook of the identity provider `sandbox`, which stands in [`WebhookReceived::body`].
    IdentityEvent {
        /// What happened; [`IDENTITY_DECIDED`]. Others are ignored.
        #[serde(rename = "type")]
        event_type: String,
        /// When the provider decided.
        timestamp: Timestamp,
        /// The decision.
        data: IdentityDecision,
    }
    /// A decision of the identity provider about an applicant.
    IdentityDecision {
        /// The provider's id of the applicant.
        applicant: String,
        /// What we called the submission when we asked: the verification's id.
        reference: String,
        /// Counts the decisions about this applicant from 1; a lower one that arrives later is old news.
        version: u32,
        /// The decision.
        decision: Decision,
        /// Why, for the person; empty if approved.
        reason: String,
    }
}
