//! Signing up: a registration is asked for, confirmed by mail, and only then becomes a user.
//!
//! Known and unknown addresses take the same path to the same answer (A03): both hash the password, reserve the user
//! name, store a challenge and send a mail. For a known address the challenge is a decoy, and the mail says that there is
//! an account already. Several registrations of one address may be open; each has its own password, so that nobody can
//! slip a password into somebody else's account, and the first one confirmed voids the others.

mod error;
mod flow;
mod store;

pub use error::Error;
pub use flow::{Confirmed, Pending, Registration, confirm, register, resend};
