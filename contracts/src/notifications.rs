//! What `notifications` takes. Most mail follows from other services' events; only what carries a secret that the
//! event must not carry comes as a command.

use std::collections::BTreeMap;

use ferrex_ids::{DeliveryId, UserId};

messages! {
    /// Sends a mail from a template. The delivery id is the idempotency key.
    SendMail {
        /// The delivery.
        delivery: DeliveryId,
        /// Whose, when it is a person we know.
        user: Option<UserId>,
        /// Where to.
        email: String,
        /// Name of the template, such as `confirm_email`.
        template: String,
        /// Values of the template, such as `code` and `link`.
        params: BTreeMap<String, String>,
    }
}

events! { "notifications.mail.v1": SendMail = "notifications.mail.send" }
