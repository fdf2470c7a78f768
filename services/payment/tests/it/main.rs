//! Payment on real parts: PostgreSQL, anvil, the embedded bus, the engine, the signer. Only `core` is played, by a
//! few lines that answer as it does.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod acts;
mod audits;
mod batches;
mod cancelling;
mod deposits;
mod fees;
mod floor;
mod followers;
mod giving_up;
mod http;
mod intake;
mod liar;
mod market_events;
mod orders;
mod parts;
mod payments;
mod schema;
mod stops;
mod token_calls;
mod too_large;
mod trading;
mod transfers;
mod withdrawals;
mod world;
