use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the cron role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// How long leadership lasts without being renewed.
    pub lease_ms: u64,
    /// How often to look for what is due, and to renew.
    pub look_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease_ms: 10_000,
            look_ms: 1_000,
        }
    }
}

impl Config {
    pub(crate) const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(crate) const fn look(&self) -> Duration {
        Duration::from_millis(self.look_ms)
    }
}
