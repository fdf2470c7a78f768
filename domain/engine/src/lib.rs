//! The engine kernel. (being written)
mod command;
mod outcome;
pub use command::{Action, Command, Reason, Rest, Step};
pub use outcome::{Balance, Outcome, Refusal};
