use ferrex_settings::JsonSchema;
use serde::{Deserialize, Serialize};

const GWEI: u64 = 1_000_000_000;

/// Settings of the role `payment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// How often a follower at the head of its chain looks for the next block.
    pub poll_ms: u64,
    /// How long a follower holds a network without a sign of life.
    pub lease_seconds: u32,
    /// How many blocks are kept to find where a reorganisation began.
    pub blocks_kept: u16,
    /// How far below the head a new network begins, when staff name no height.
    pub blocks_back: u16,
    /// How many nodes of a network must agree on a block, where that many are known.
    pub nodes_agree: u8,
    /// How long one exchange with a node may take.
    pub node_timeout_ms: u64,
    /// How often a payment under way is looked for.
    pub payment_look_ms: u32,
    /// After which time without being mined a payment is replaced with a higher fee.
    pub payment_replace_ms: u32,
    /// Highest price per gas that is ever offered, in wei.
    pub max_fee_per_gas: u64,
    /// Highest tip per gas that is offered first, in wei.
    pub max_priority_fee_per_gas: u64,
    /// Lowest tip per gas, in wei.
    pub min_priority_fee_per_gas: u64,
    /// Gas limit of a token's transfer when the node's estimate is lower; the estimate is never exceeded by more than
    /// a quarter.
    pub token_gas_max: u64,
    /// How long another service may take to answer.
    pub request_timeout_ms: u64,
    /// How long a worker that died keeps others from what it was doing.
    pub effect_lease_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            poll_ms: 500,
            lease_seconds: 15,
            blocks_kept: 256,
            blocks_back: 64,
            nodes_agree: 2,
            node_timeout_ms: 10_000,
            payment_look_ms: 5_000,
            payment_replace_ms: 5 * 60_000,
            max_fee_per_gas: 500 * GWEI,
            max_priority_fee_per_gas: 20 * GWEI,
            min_priority_fee_per_gas: GWEI / 10,
            token_gas_max: 200_000,
            request_timeout_ms: 10_000,
            effect_lease_seconds: 30,
        }
    }
}
