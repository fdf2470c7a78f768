//! Codes and links sent by mail: bound to an address, a purpose, a time and a number of wrong tries (H092).

mod error;
mod flow;
mod model;
mod store;

pub use error::Error;
pub(crate) use flow::{answer, create, renew};
pub(crate) use model::{Challenge, Fresh};
pub use model::{Presented, Purpose, TRIES_MAX};
pub(crate) use store::{consume, lock_by_id, void_open};
