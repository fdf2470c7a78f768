//! Real servers for tests and development, started on free ports in directories of their own, and ended with the
//! process that started them, however that ends.
//!
//! | what | start it | its own tricks |
//! |---|---|---|
//! | PostgreSQL | [`Postgres::shared`], [`Postgres::start`], [`Postgres::durable`] | databases from templates, `kill9`, `start_again` |
//! | Apache Kafka | [`Kafka::shared`], [`Kafka::start`] | `kill9`, `stop`, `start_again` on the same directory and ports |
//! | EVM chain | [`Anvil::start`] | `rpc`, funded accounts, a test token, `mine`, `reorg` |
//! | SMTP | [`MailCatcher::start`] | parsed `messages`, refuse, hang, lose the reply, stop and start again |
//! | TCP proxy | [`Proxy::start`] | delay, cut, half-open, drop the reply after the server acted |
//!
//! The functions of this level panic with the server's log when something cannot be started: they are for tests.
//! What they rest on is in [`servers`], returns errors, and serves `ferrex-dev` too. The tools themselves come from
//! `scripts/tools.sh`. This crate is never linked into `ferrex`; the tier check sees to it.
//!
//! To add a server: 1. a `Server` in `servers/` built on [`servers::Process`], 2. a wrapper here that owns its
//! directory, 3. its installation in `scripts/tools.sh`, 4. a test in `tests/it`.

mod anvil;
mod background;
mod eventually;
mod kafka;
pub mod mail;
mod postgres;
mod proxy;
pub mod servers;
pub mod token;

pub use anvil::Anvil;
pub use eventually::{Answer, eventually};
pub use kafka::Kafka;
pub use mail::MailCatcher;
pub use postgres::{Postgres, TestDb};
pub use proxy::Proxy;
