//! Notifications: tells people what happened, after it was committed and at least once.
//!
//! It decides nothing. It reacts to events that their owners published through an outbox, and to the command
//! [`SendMail`](ferrex_contracts::notifications::SendMail), which carries what an event must not (codes, links). Each mail is a delivery: a row
//! in the log first, then a flow `mail.delivery` (`platform/flows`) that sends it.
//!
//! - **Tables** (schema `notifications`): `contact` (read table from core's events), `delivery` (the log), and those of bus and flows.
//! - **Topics in**: `core.user.v1`, `payment.deposit.v1`, `payment.transfer.v1`, `payment.withdrawal.v1`,
//!   `notifications.mail.v1`, `cron.tick.v1` (job `delivery_retry`); requests `notifications.requests.v1`. **Out**: none.
//! - **How it fails**: without SMTP deliveries wait with reason and next attempt, up to [`Config::attempts_max`]; a crash between
//!   the server's yes and our record sends once more, under the same `Message-ID` (H084). A recipient the server refuses
//!   for good fails the delivery. A template that cannot be rendered is refused at the bus (parked there, redrivable) or, when
//!   it breaks later, leaves the delivery `stuck` until staff resume it. A person whose contact is not known yet is waited for.
//! - **What is kept**: values of templates (codes) leave the row when the delivery ends, and no log line holds them.
//!
//! To add a mail: 1. `templates/<name>.{subject,txt,html}` and its line in `template/catalogue.rs`; 2. its sample values in
//! `tests/it/templates.rs` and the snapshot; 3. for an event, a file in `consumers/` and its line there.

mod config;
mod consumers;
mod contact;
mod delivery;
mod error;
mod jobs;
mod schema;
mod sender;
mod service;
mod template;

pub use config::{Config, Encryption, Smtp};
pub use error::Error;
pub use schema::{MIGRATIONS, SCHEMA};
pub use service::{Dependencies, Service, build};
pub use template::{Rendered, Templates};

/// This service's name on the bus.
pub(crate) const SOURCE: &str = "notifications";
