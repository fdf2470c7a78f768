//! Orders in the engine, against an oracle and by their rules.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod books;
mod oracle;
mod oracle_match;
mod random;
mod streams;
mod support;
