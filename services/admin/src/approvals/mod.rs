//! Withdrawals that wait for staff: a read table built from the events of `payment`, which alone decides what a decision
//! of staff brings about.

mod error;
mod flow;
mod model;
mod store;

pub use error::Error;
pub use flow::{close, decide, get, list, open};
pub use model::{Approval, State};
