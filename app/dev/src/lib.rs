//! The surroundings of Ferrex on a developer's machine: a private PostgreSQL, a chain, a mail catcher with a page, an
//! identity provider, Kafka when asked for, the settings and secrets that join them, and the `ferrex` processes.
//!
//! `make run` starts it with fixed ports and data under `.data/`; the end-to-end tests with free ports in a temporary
//! directory. Everything that was started ends with it, and nothing else does.
//!
//! - [`plan`] says what is wanted, [`system`] starts and stops it, [`settings`] writes `ferrex.toml`,
//!   [`surroundings`] writes where to find what, [`secrets`] makes each secret once.
//! - [`ingress`] stands before the processes when each role has its own, as an ingress does on Kubernetes.
//! - [`pair`] kills the engine's owner on request where a second engine stands by, and plays demos that ask for it.
//! - [`chain`] creates the test token. [`mail_page`] shows the mails that were caught.

pub mod chain;
pub mod ingress;
pub mod mail_page;
pub mod pair;
pub mod plan;
pub mod secrets;
pub mod settings;
pub mod surroundings;
pub mod system;
