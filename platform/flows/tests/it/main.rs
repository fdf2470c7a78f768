//! The runner on a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall fail where it stands"
)]

mod crash;
mod errand;
mod lease;
mod parking;
mod race;
mod running;
mod tally;
mod timers;
