//! People with a confirmed e-mail address: names, addresses, freezing, what staff and other services may see of them.

mod error;
mod flow;
mod model;
mod store;

pub use error::Error;
pub(crate) use flow::credentials_changed;
pub use flow::{find, list, resolve, set_freeze};
pub use model::{Email, EmailError, User, UserName, UserNameError};
pub(crate) use store::*;
