//! The life of a process: stopping in order, restarting background loops, saying what is missing, dying on command.
//!
//! - [`Shutdown`] is asked for once (by a signal or a test), seen by everybody, and waits for the tasks it tracks.
//! - [`supervise`] keeps a background loop running, with [`Backoff`] between its failures and one log line for each.
//! - [`Readiness`] knows which part a process still waits for; `/readyz` prints it.
//! - [`kill`] aborts the process at a named point, in development builds only, so that a test can kill a real process
//!   between any two steps.

mod backoff;
pub mod kill;
mod readiness;
mod shutdown;
mod supervise;

pub use backoff::Backoff;
pub use readiness::{Missing, Readiness, ReadyFlag};
pub use shutdown::{Shutdown, StillRunning};
pub use supervise::supervise;
pub use tokio_util::sync::CancellationToken;
