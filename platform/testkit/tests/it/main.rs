//! The test kit, tried on the real programs.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod anvil;
mod ends_with_its_process;
mod kafka;
mod mail;
mod postgres;
mod proxy;
mod tiers;
