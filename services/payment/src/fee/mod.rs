//! Trading fees by what a person has traded in 30 days: the schedule is set by staff, volumes come from the trades, and the
//! engine is told each person's tier.

mod error;
pub mod model;
pub mod requests;
pub mod store;

pub use error::Error;
pub use model::Schedule;
