use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of one listener.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The largest request body, where the route does not say otherwise.
    pub body_bytes_max: usize,
    /// How long a request may take, its body included.
    pub timeout_ms: u64,
    /// Connections at once; more wait in the listener's queue.
    pub connections_max: usize,
    /// How often one client address may call.
    pub per_address: RateConfig,
    /// How often one person may call, from wherever.
    pub per_user: RateConfig,
    /// Address ranges of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
}

/// A rate: bursts up to a size, refilled steadily.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RateConfig {
    /// Calls a second in the long run.
    pub per_second: u32,
    /// Calls at once.
    pub burst: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 * 1024,
            timeout_ms: 30_000,
            connections_max: 10_000,
            per_address: RateConfig {
                per_second: 50,
                burst: 200,
            },
            per_user: RateConfig {
                per_second: 20,
                burst: 100,
            },
            trusted_proxies: Vec::new(),
        }
    }
}

/// A setting of a listener that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A rate of nothing would refuse everybody.
    #[error("`{setting}` must be at least 1")]
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// Not an address range.
    #[error("`{range}` in trusted_proxies is no address range such as 10.0.0.0/8")]
    Proxy {
        /// As configured.
        range: String,
    },
}
