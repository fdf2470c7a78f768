//! Staff accounts: made with a one-time link, a password and an authenticator, and never without any of the three.

mod error;
mod flow;
mod model;
mod passwords;
mod store;

pub use error::Error;
pub use flow::{Enrolment, SetUp, begin_set_up, disable, first_link, invite, set_up};
pub use model::{Staff, StaffName};
pub(crate) use model::{authenticator, step_of};
pub use passwords::{Password, Passwords};
pub(crate) use store::{find_by_name, list, use_step};
