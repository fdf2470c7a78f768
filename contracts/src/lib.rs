//! What services say to one another: events, requests and their answers. Types only.
//!
//! An **event** implements [`Message`]: a fact in the past tense, published to its owner's topic. A **request** also
//! implements [`Request`]: it names its reply. Changes within a major version are additive: readers ignore fields they
//! do not know, new fields are optional. To add a message type: 1. add the struct to its owner's file and a line to
//! the `event!` or `request!` list there, 2. register a handler for it in the consuming service's `consumers/`.

#[macro_use]
mod macros;

pub mod admin;
pub mod core;
pub mod cron;
pub mod engine;
pub mod envelope;
pub mod notifications;
pub mod payment;
mod payment_markets;
pub mod signer;
pub mod webhooks;

pub use envelope::{Message, Request};

/// An answer that says nothing but "done".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {}

/// Whose decision it is, as staff see it in histories.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StaffAction {
    /// The member of staff.
    pub staff: ferrex_ids::StaffId,
    /// Why; shown in histories.
    pub reason: String,
}

/// A decision of yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Reject,
}
