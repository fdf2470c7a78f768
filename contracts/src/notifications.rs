//! What `notifications` takes. Most mail follows from other services' events; only what carries a secret that the
//! event must not carry comes as a command.

use std::collections::BTreeMap;

use ferrex_ids::{DeliveryId, UserId};
use ferrex_time::Timestamp;

use crate::StaffAction;

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

messages! {
    /// Lists mails for staff, newest first.
    ListDeliveries {
        /// Only those of this person.
        user: Option<UserId>,
        /// Only those in this state: `queued`, `sending`, `waiting`, `stuck`, `sent` or `failed`.
        state: Option<String>,
        /// Where the last page ended.
        cursor: Option<String>,
        /// At most this many, 1 to 100.
        limit: u16,
    }
    /// A page of mails.
    DeliveryPage {
        /// The mails.
        items: Vec<DeliveryView>,
        /// Where the next page begins.
        next_cursor: Option<String>,
    }
    /// A mail as staff see it: never its contents.
    DeliveryView {
        /// Which.
        delivery: DeliveryId,
        /// Whose.
        user: Option<UserId>,
        /// Where to; none while the person is not known to `notifications`.
        email: Option<String>,
        /// Name of the template.
        template: String,
        /// Where it stands.
        state: String,
        /// Attempts begun.
        attempts: u32,
        /// Why it waits, is stuck or failed.
        reason: Option<String>,
        /// When it is tried next.
        next_attempt_at: Option<Timestamp>,
        /// When it was asked for.
        created_at: Timestamp,
        /// When it was sent or given up.
        finished_at: Option<Timestamp>,
    }
    /// Tries a stuck mail again.
    ResumeDelivery {
        /// Which.
        delivery: DeliveryId,
        /// Who decided, and why.
        by: StaffAction,
    }
}

requests! { "notifications.requests.v1":
    ListDeliveries = "notifications.delivery.list" -> DeliveryPage,
    ResumeDelivery = "notifications.delivery.resume" -> crate::Done,
}
