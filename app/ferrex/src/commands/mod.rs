//! One file a subcommand.

pub mod check;
pub mod demo;
pub mod health;
pub mod ledger;
pub mod migrate;
pub mod openapi;
pub mod parked;
pub mod run;
pub mod settings;
pub mod signer;
pub mod topics;
