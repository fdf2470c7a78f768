//! `ferrex topics`: what the bus must have.

use std::process::ExitCode;

/// Every topic that a service publishes to or is asked on.
pub const TOPICS: &[&str] = &[
    "admin.audit.v1",
    "core.requests.v1",
    "core.session.v1",
    "core.user.v1",
    "core.verification.v1",
    "cron.tick.v1",
    "engine.audit.v1",
    "engine.journal.v1",
    "notifications.mail.v1",
    "payment.deposit.v1",
    "payment.requests.v1",
    "payment.transfer.v1",
    "payment.withdrawal.v1",
    "signer.requests.v1",
    "webhooks.received.v1",
];

/// Prints them.
pub fn run() -> ExitCode {
    for topic in TOPICS {
        println!("{topic}");
    }
    ExitCode::SUCCESS
}
