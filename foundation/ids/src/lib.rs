//! Typed identifiers: a UUIDv7 that knows what it names, shown as a prefix and base32 (`wdr_01kb…`).
//!
//! The prefix makes a log line readable and a mix-up of two ids a compile error inside and a refusal outside. To add a
//! kind, add a line to [`kinds`]; its prefix is then reserved for ever.

mod id;
mod kinds;

pub use id::{Id, IdError, Kind, uuid_at};
pub use kinds::*;
