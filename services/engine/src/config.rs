use std::net::SocketAddr;
use std::time::Duration;

use ferrex_settings::SecretFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the engine role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The shard this engine keeps; 0 while there is one ledger.
    pub shard: u16,
    /// Where other processes reach it over HTTP/2; absent when payment runs in the same process.
    pub listen: Option<SocketAddr>,
    /// How other processes write its address, such as `http://engine-0.engine:9100`; absent: from `listen`.
    pub advertise: Option<String>,
    /// The file with the token that callers from other processes show; needed with `listen`.
    pub token_file: Option<SecretFile>,
    /// How long the owner's lease lasts without being renewed, in milliseconds.
    pub lease_ms: u64,
    /// How often a standby looks at journal and lease, in milliseconds.
    pub follow_ms: u64,
    /// How often balances and holds are projected into tables, in milliseconds; less often when that takes long.
    pub projection_ms: u64,
    /// After how many journal rows a standby makes a snapshot; an owner without a standby makes one after twice as many; so
    /// many for each 256 MB of it.
    pub snapshot_rows: u64,
    /// How often it is looked whether a snapshot is due, in milliseconds.
    pub snapshot_check_ms: u64,
    /// How far back command ids are remembered in memory, in hours; older ones are looked up in the journal.
    pub window_hours: u32,
    /// How many command ids are remembered at most.
    pub window_commands_max: usize,
    /// How many submissions are written with one commit at most.
    pub batch_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shard: 0,
            listen: None,
            advertise: None,
            token_file: None,
            lease_ms: 5_000,
            follow_ms: 200,
            projection_ms: 250,
            snapshot_rows: 500_000,
            snapshot_check_ms: 10_000,
            window_hours: 48,
            window_commands_max: 2_000_000,
            batch_max: 4_096,
        }
    }
}

impl Config {
    pub(crate) const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(crate) const fn follow(&self) -> Duration {
        Duration::from_millis(self.follow_ms)
    }

    pub(crate) const fn projection(&self) -> Duration {
        Duration::from_millis(self.projection_ms)
    }
}
