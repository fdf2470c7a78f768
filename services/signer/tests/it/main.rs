//! The signer on a real PostgreSQL, over the embedded bus, and before a real node.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod child;
mod intents;
mod keystore;
mod limits;
mod node;
mod schema;
mod together;
mod world;
