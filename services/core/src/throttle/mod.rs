//! How often things may be tried: fixed windows for most, growing delays for passwords.
//!
//! A try is counted before it is made and given back when it succeeds, so that a thousand tries at once are a thousand
//! tries. Counting happens in transactions of its own: a refusal that rolls back the work must not give the try back.

mod error;
mod model;
mod store;

pub use error::Error;
pub use model::{Guard, GuardRule, Limit, Limits};
pub use store::{Attempt, LoginTry};
pub(crate) use store::{begin_login, clear_login, give_back, login_succeeded, take};
