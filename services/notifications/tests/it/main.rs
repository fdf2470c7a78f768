//! This service on a real PostgreSQL, the embedded bus and a real SMTP conversation.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall fail where it stands"
)]

mod crash;
mod deliveries;
mod hostile;
mod schema;
mod staff;
mod templates;
mod world;
