//! What `webhooks` says.

use ferrex_ids::InboundEventId;
use ferrex_time::Timestamp;

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
