//! The settings of this role.

use ferrex_settings::SecretFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of this role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// File with the root key, at least 32 random characters: hashes tokens, seals authenticator secrets, and keys the
    /// chain of the audit log. Losing it voids sessions and authenticators, and the chain can no longer be verified.
    pub root_key: Option<SecretFile>,
    /// Where the admin listener is reached; set-up links begin with it.
    pub public_url: String,
    /// Who issues the authenticator entries, as authenticator apps show it.
    pub issuer: String,
    /// How long a set-up link is good, in hours.
    pub setup_hours: u32,
    /// How long a session lives without being used, in minutes.
    pub session_idle_minutes: u32,
    /// How long a session lives at most, in hours.
    pub session_hours: u32,
    /// How long another service may take to answer, in milliseconds.
    pub answer_within_ms: u32,
    /// Memory of one password hash in KiB.
    pub hash_memory_kib: u32,
    /// Passes over that memory.
    pub hash_passes: u32,
    /// Failed log-ins per account, whoever tries.
    pub logins_per_name: Limit,
    /// Failed log-ins and uses of set-up links from one network.
    pub logins_per_network: Limit,
}

/// At most so many tries in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Tries.
    pub max: u32,
    /// Length of the window in seconds.
    pub window_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root_key: None,
            public_url: "http://localhost:8081".to_owned(),
            issuer: "Ferrex staff".to_owned(),
            setup_hours: 24,
            session_idle_minutes: 30,
            session_hours: 10,
            answer_within_ms: 5_000,
            // OWASP's argon2id: 19 MiB, two passes, one lane.
            hash_memory_kib: 19_456,
            hash_passes: 2,
            logins_per_name: Limit {
                max: 5,
                window_s: 300,
            },
            logins_per_network: Limit {
                max: 30,
                window_s: 900,
            },
        }
    }
}
