//! Logging in, and the sessions that come of it: opaque tokens, known to the client only, with idle and absolute end.
//!
//! Other services accept access tokens of five minutes; this one also looks at the session's row each time (A19).

mod error;
mod flow;
mod login;
mod model;
mod store;

pub use error::Error;
pub(crate) use flow::revoke_in_tx;
pub use flow::{authenticate, authenticate_token, list, log_out, renew, revoke, revoke_others};
pub use login::{Issued, LoggedIn, finish, log_in};
pub use model::{Session, describe};
pub(crate) use store::Which;
