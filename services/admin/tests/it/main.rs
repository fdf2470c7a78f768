//! `admin` on a real PostgreSQL and the embedded bus, with stand-ins for `core` and `payment` that answer its requests.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod approvals;
mod audit;
mod document;
mod login;
mod others;
mod registry;
mod schema;
mod set_up;
mod users;
mod world;
