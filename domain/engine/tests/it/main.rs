//! Orders in the engine, against an oracle and by their rules; snapshots of all of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actions;
mod auctions;
mod books;
mod codec;
mod generator;
mod journal;
mod oracle;
mod oracle_checks;
mod oracle_match;
mod random;
mod snapshots;
mod streams;
mod support;
mod terms;
