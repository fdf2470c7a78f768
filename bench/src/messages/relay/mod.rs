//! From PostgreSQL to Kafka: what is committed and not yet told.
//!
//! - [`outbox`]: a service's outbox, beside a relay that takes one row at a time and marks it.
//! - [`journal`]: the engine's journal, beside reading the same rows and telling nobody.

pub mod journal;
pub mod outbox;
