use std::collections::BTreeMap;

use ferrex_settings::SecretFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the webhooks role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Who may tell us something, by the name in `/webhooks/{source}`.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The largest body.
    pub body_bytes_max: usize,
    /// How many refused events are kept for each source.
    pub quarantine_rows_max: u32,
    /// How often to look for events that were stored and never forwarded.
    pub sweep_seconds: u64,
    /// After how many seconds without a sign of life another process takes over what one was forwarding.
    pub lease_seconds: u64,
}

/// One outside system.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SourceConfig {
    /// Files with the secrets it may sign with (`whsec_…`): one, or two while it changes from one to the other.
    pub secrets: Vec<SecretFile>,
    /// By how much the signed timestamp may differ from our clock.
    #[serde(default = "tolerance_seconds")]
    pub tolerance_seconds: u32,
    /// JSON pointer to what its events are ordered by, such as `/data/reference`; without one they all are one sequence.
    #[serde(default)]
    pub order_key_pointer: Option<String>,
}

const fn tolerance_seconds() -> u32 {
    300
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sources: BTreeMap::new(),
            body_bytes_max: 256 * 1024,
            quarantine_rows_max: 200,
            sweep_seconds: 60,
            lease_seconds: 30,
        }
    }
}
