//! How to reach a person: a read table filled by core's events.

pub(crate) mod store;
