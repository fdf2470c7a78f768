//! `core`: people. Signing up, logging in, sessions, second factors, identity levels, freezing. It moves no money.
//!
//! - **Tables** (schema `core`, see `schema.sql`): `users`, `user_name_claims`, `challenges`, `registrations`, `sessions`,
//!   `pending_logins`, `totp_factors`, `totp_enrolments`, `recovery_codes`, `factor_uses`, `attempts`, `login_guards`,
//!   `verifications`, and the bus's `outbox`, `inbox`, `parked`. Names, birth dates and countries never leave this schema but to
//!   staff who ask.
//! - **Topics out**: `core.user.v1`, `core.session.v1`, `core.verification.v1`, `notifications.mail.v1` (commands).
//!   **In**: `core.requests.v1`, `webhooks.received.v1` (source `identity`), `cron.tick.v1` (job `session_cleanup`).
//! - **How it fails**: without PostgreSQL every call answers 503 and readiness says so; without the bus mails and events wait
//!   in the outbox and nothing else stops; more log-ins than the machine can hash answer 503 after a bounded wait.
//! - **What is secret**: passwords (argon2id), session tokens and codes (hashes only), authenticator secrets (sealed). Types
//!   that hold them cannot be printed.
//!
//! Inside, one folder an aggregate: `users`, `registrations`, `challenges` (codes and links), `sessions`, `factors`, `resets`,
//! `verifications`; beside them `passwords`, `secrets`, `throttle`; then `http` (one file an endpoint), `consumers`, `jobs`.
//!
//! To add an endpoint: one file under `http/`, one line in its `router`. To add a code sent by mail: a
//! [`challenges::Purpose`], a template name in [`mail::template`], a flow that calls `challenges::create` and `challenges::answer`.

mod app;
pub mod challenges;
pub mod client;
mod config;
mod consumers;
pub mod factors;
mod http;
pub mod input;
pub mod jobs;
pub mod mail;
pub mod passwords;
pub mod registrations;
pub mod resets;
mod schema;
pub mod secrets;
mod service;
pub mod sessions;
pub mod throttle;
pub mod users;
pub mod verifications;

pub use app::Core;
pub use config::{Config, Hashing};
pub use http::specification;
pub use schema::SCHEMA;
pub use service::{Deps, Service, build};
