use std::time::Duration;

use ferrex_fault::{Classify, Kind};

use super::super::BlockError;

/// Why a node, or all nodes of a network, gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No answer: the connection failed or broke. What was asked may have happened.
    #[error("no answer from {node} to {method}")]
    Transport {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
        /// What the HTTP client says; it never holds the address with its key.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time. What was asked may have happened.
    #[error("{node} did not answer {method} within {within:?}")]
    TimedOut {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
        /// The deadline.
        within: Duration,
    },
    /// The node wants us to ask less often.
    #[error("{node} limits our rate of {method}")]
    RateLimited {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
    },
    /// The node, or something before it, answered with another status than 200.
    #[error("{node} answered {method} with HTTP status {status}")]
    Status {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
        /// The status.
        status: u16,
    },
    /// The answer is larger than allowed; the rest was not read.
    #[error("{node} answered {method} with more than {limit} bytes")]
    TooLarge {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
        /// The most that is read.
        limit: usize,
    },
    /// The answer is not what the method answers.
    #[error("{node} answered {method} with something else: {reason}")]
    Malformed {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The node understood and refused.
    #[error("{node} refused {method}: {message} ({code})")]
    Node {
        /// The node's host.
        node: String,
        /// The method asked.
        method: &'static str,
        /// The code of JSON-RPC.
        code: i64,
        /// The node's own words, cut to a bounded length.
        message: String,
    },
    /// The node does not have what was asked for: it lags, or has pruned it. Never the same as an empty answer (H006).
    #[error("{node} does not have {what}")]
    Missing {
        /// The node's host.
        node: String,
        /// What was asked for.
        what: String,
    },
    /// The block that the node gave does not agree with itself (H006, F16, F18).
    #[error("{node} gave a block {height} that does not hold together")]
    BadBlock {
        /// The node's host.
        node: String,
        /// The height asked for.
        height: u64,
        /// What does not agree.
        #[source]
        source: BlockError,
    },
    /// Too few nodes tell the same hash for a height.
    #[error("{agreed} of {wanted} nodes agree on block {height}")]
    Disagreement {
        /// The height.
        height: u64,
        /// How many tell the same hash.
        agreed: usize,
        /// How many must.
        wanted: usize,
    },
    /// The node is of another network.
    #[error("{node} is of chain {got}, not {wanted}")]
    WrongChain {
        /// The node's host.
        node: String,
        /// The chain asked for.
        wanted: u64,
        /// The chain it is of.
        got: u64,
    },
    /// The settings name no node, or one whose address is not one of HTTP.
    #[error("the nodes of chain {chain_id} are not usable: {reason}")]
    Settings {
        /// The chain.
        chain_id: u64,
        /// What is wrong.
        reason: String,
    },
}

impl RpcError {
    /// Whether another node may answer where this one did not.
    pub(super) fn try_another_node(&self) -> bool {
        !matches!(self, Self::Node { .. } | Self::Settings { .. })
    }

    /// Whether the node may have done what was asked although no answer came.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Transport { .. }
                | Self::TimedOut { .. }
                | Self::Status { .. }
                | Self::TooLarge { .. }
                | Self::Malformed { .. }
        )
    }
}

impl Classify for RpcError {
    fn kind(&self) -> Kind {
        match self {
            Self::Settings { .. } => Kind::Invalid,
            Self::Missing { .. } => Kind::NotFound,
            Self::Node { .. } => Kind::Conflict,
            _ => Kind::Unavailable,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Transport { .. } => "chains.rpc.transport",
            Self::TimedOut { .. } => "chains.rpc.timed_out",
            Self::RateLimited { .. } => "chains.rpc.rate_limited",
            Self::Status { .. } => "chains.rpc.status",
            Self::TooLarge { .. } => "chains.rpc.too_large",
            Self::Malformed { .. } => "chains.rpc.malformed",
            Self::Node { .. } => "chains.rpc.refused",
            Self::Missing { .. } => "chains.rpc.missing",
            Self::BadBlock { .. } => "chains.rpc.bad_block",
            Self::Disagreement { .. } => "chains.rpc.disagreement",
            Self::WrongChain { .. } => "chains.rpc.wrong_chain",
            Self::Settings { .. } => "chains.rpc.settings",
        }
    }
}
