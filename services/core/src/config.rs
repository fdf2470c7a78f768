//! The settings of this role.

use std::time::Duration;

use ferrex_settings::SecretFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::passwords::HasherConfig;
use crate::throttle::Limits;

/// The settings of this role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// File with the root key, at least 32 random characters: hashes codes, seals authenticator secrets. Losing it voids
    /// every session, code and authenticator.
    pub root_key: Option<SecretFile>,
    /// Where the wallet app is reached; links in mails begin with it.
    pub public_url: String,
    /// Who issues the authenticator entries, as authenticator apps show it.
    pub issuer: String,
    /// How long a code in a mail is good, in minutes.
    pub code_minutes: u32,
    /// How long a session lives without being used, in minutes.
    pub session_idle_minutes: u32,
    /// How long a session lives at most, in days.
    pub session_days: u32,
    /// Most sessions of one person; the one unused longest gives way.
    pub sessions_max: u16,
    /// How long withdrawals rest after the means of logging in changed, in hours (H091).
    pub rest_hours: u32,
    /// How long after sign-up a first authenticator can be enrolled without such a rest, in hours.
    pub fresh_hours: u32,
    /// Cost and queue of password hashes.
    pub hashing: Hashing,
    /// How often things may be tried.
    pub limits: Limits,
}

/// Cost and queue of password hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Hashing {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Hashes at once; 0 is one a core, at most 8.
    pub parallel: u16,
    /// Callers that may wait for their turn; more are told to come again.
    pub queue_max: u16,
    /// How long a caller waits for its turn, in milliseconds.
    pub patience_ms: u32,
}

impl Default for Hashing {
    fn default() -> Self {
        let usual = HasherConfig::default();
        Self {
            memory_kib: usual.memory_kib,
            passes: usual.passes,
            parallel: 0,
            queue_max: 256,
            patience_ms: 3_000,
        }
    }
}

impl Hashing {
    pub(crate) fn hasher(self) -> HasherConfig {
        let usual = HasherConfig::default();
        HasherConfig {
            memory_kib: self.memory_kib,
            passes: self.passes,
            parallel: if self.parallel == 0 {
                usual.parallel
            } else {
                usize::from(self.parallel)
            },
            queue_max: usize::from(self.queue_max),
            patience: Duration::from_millis(u64::from(self.patience_ms)),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root_key: None,
            public_url: "http://localhost:8080".to_owned(),
            issuer: "Ferrex".to_owned(),
            code_minutes: 30,
            session_idle_minutes: 12 * 60,
            session_days: 14,
            sessions_max: 20,
            rest_hours: 24,
            fresh_hours: 24,
            hashing: Hashing::default(),
            limits: Limits::default(),
        }
    }
}
