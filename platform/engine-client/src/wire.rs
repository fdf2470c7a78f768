//! The internal HTTP/2 protocol between a remote client and the engine service: JSON bodies, a bearer token.
//!
//! | path | body | answer |
//! |---|---|---|
//! | [`COMMANDS`] | `Vec<Command>` | `Vec<Option<Answer>>`, in the same order; null is unknown |
//! | [`BALANCES`] | [`BalancesOf`] | `Vec<Balance>` |
//! | [`EXPIRED_HOLDS`] | [`ExpiredHolds`] | `Vec<HoldId>` |
//!
//! 401: the token is wrong. 421: this process is not the owner, the body is a [`Misdirected`]. 503: no answer.

use ferrex_ledger::Owner;
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};

/// Path for commands.
pub const COMMANDS: &str = "/internal/v1/commands";
/// Path for balances.
pub const BALANCES: &str = "/internal/v1/balances";
/// Path for holds that may expire.
pub const EXPIRED_HOLDS: &str = "/internal/v1/expired-holds";

/// The most commands in one request.
pub const COMMANDS_MAX: usize = 1_024;
/// The largest body of a request, in bytes: a full batch of commands of the largest size.
pub const BODY_MAX: usize = 32 << 20;

/// Asks what an owner has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalancesOf {
    /// The owner.
    pub owner: Owner,
}

/// Asks for open holds that may expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiredHolds {
    /// The moment to compare with.
    pub now: Timestamp,
    /// The most to answer.
    pub limit: usize,
}

/// This process does not own the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misdirected {
    /// Base address of the owner, such as `http://10.0.0.7:9100`, when one is known.
    pub owner: Option<String>,
}
