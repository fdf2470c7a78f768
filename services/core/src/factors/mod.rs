//! The second factor: an authenticator (TOTP) and recovery codes.
//!
//! A code is good for one use, for one action, for one payload: its use is a row whose primary key is the code's time step
//! (or the recovery code's hash) and which names action and payload. Whoever asks again for exactly the same gets the same
//! answer for a while, since answers get lost; whoever asks for anything else is refused (A06, A08, A12).

mod error;
mod flow;
mod model;
mod store;

pub use error::Error;
pub use flow::{
    Enrolment, Status, begin_enrolment, check, confirm_enrolment, disable, replace_recovery_codes, status,
    verify_for,
};
pub use model::{Binding, Code, RECOVERY_CODES};
pub(crate) use store::is_enrolled;
