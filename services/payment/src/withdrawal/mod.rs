//! Withdrawals: money out of the house, from the request to the booked payment.
//!
//! To change how a withdrawal is approved: the threshold is compared in `request.rs`, the decision is a transition in
//! `decisions.rs`, staff's side comes in by `decide.rs`.

pub mod decide;
mod decisions;
mod error;
mod events;
pub mod flow;
mod giving_up;
pub mod meaning;
pub mod model;
mod pay;
mod prepare;
pub mod request;
pub mod store;

pub use error::Error;
