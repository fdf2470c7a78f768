//! Servers that stand for outside companies in development and tests. Never linked into `ferrex`.
//!
//! [`identity`] is an identity provider: applicants are submitted and decided over HTTP, and the decision is sent as a signed
//! webhook (Standard Webhooks) until it is taken.
//!
//! To add a company: a module with its server, built on what its public documentation says, and a subcommand of the binary
//! `ferrex-sandbox`.

pub mod identity;
mod sender;

pub use sender::{SenderConfig, WebhookSender};
