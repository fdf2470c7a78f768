//! Log-ins of staff: name, password and code give an opaque token; the database has its hash and can revoke it.

mod error;
mod flow;
mod model;
mod store;

pub use error::Error;
pub use flow::{LogIn, LoggedIn, authenticate, list, log_in, revoke};
pub use model::{Actor, Client, Session};
