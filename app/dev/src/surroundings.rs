//! Where to find what; written to `surroundings.json` for the demo and for people's scripts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Addresses and files of a running system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Surroundings {
    /// The listener for people.
    pub public: String,
    /// The listener for staff.
    pub admin: String,
    /// The operations ports, one a process.
    pub operations: Vec<String>,
    /// The page of the mail catcher; `/api/messages?to=` answers JSON.
    pub mail: String,
    /// The chain's JSON-RPC; its development accounts are unlocked.
    pub chain_rpc: String,
    /// An unlocked account with plenty of coins and of the test token.
    pub payer: String,
    /// The contract of the test token, symbol TST, 6 decimals.
    pub token: String,
    /// The identity provider.
    pub identity: String,
    /// The settings file.
    pub config: PathBuf,
    /// The one-time link for the first staff account, while there is none.
    pub setup_link: Option<String>,
    /// Where the demo keeps the staff account that it set up.
    pub staff_file: PathBuf,
    /// Where the engine's owner is killed on request, in a system that has a standby.
    #[serde(default)]
    pub control: Option<String>,
}
