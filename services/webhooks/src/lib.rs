//! The webhooks role: what outside systems tell us, never lost and never taken twice.
//!
//! `POST /webhooks/{source}` answers 2xx only after the raw bytes are stored. The signature (Standard Webhooks: HMAC-SHA256
//! over id, timestamp and the raw body) is checked over the bytes as they came, with any of the source's secrets (two
//! during a rotation). In the same transaction a flow `webhook.inbound` begins, which puts the event on the bus for whoever
//! it concerns.
//!
//! - **Tables** (schema `webhooks`): `inbound_event` (unique by source and the sender's id), `quarantine` (refused ones, a
//!   bounded number a source), the tables of flows and bus.
//! - **Topic out**: `webhooks.received.v1`, key = source and the object that the body names (`order_key_pointer`), so that
//!   what concerns one object arrives in the order in which it came here.
//! - **How it fails**: without the database the answer is 503 and the sender tries again; without the bus events wait in the
//!   outbox. A wrong signature or an old timestamp is 401, counted and quarantined; [`Service::release`] takes it from
//!   there once the secret is right. The content is not looked at: an event that nobody understands is stored and
//!   forwarded all the same.
//!
//! To add a source: 1. a section `webhooks.sources.<name>` in the settings with its secret files, 2. a consumer of
//! `WebhookReceived` in the service that it concerns, which ignores other sources and takes an event once by (source,
//! event id). A sender with another form of signature gets its own variant beside `inbound/signature.rs`.

mod config;
mod http;
mod inbound;
mod schema;
mod service;

pub use config::{Config, SourceConfig};
pub use http::{routes, specification};
pub use inbound::error::Error;
pub use inbound::flow::{InboundWebhook, WebhookAction, WebhookInput, WebhookState};
pub use inbound::model::Accepted;
pub use inbound::store::QuarantinedRow;
pub use schema::{MIGRATIONS, SCHEMA};
pub use service::{Dependencies, Service, build};
