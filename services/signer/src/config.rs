use std::path::PathBuf;

use ferrex_money::Amount;
use ferrex_settings::SecretFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the signer role. With no chains it describes its wallet and signs nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The encrypted keystore.
    pub keystore: PathBuf,
    /// The file with the keystore's passphrase.
    pub passphrase: SecretFile,
    /// Whether a new wallet is made when the keystore does not exist. Otherwise `ferrex signer init` makes it.
    pub create_if_missing: bool,
    /// The chains it signs for.
    pub chains: Vec<ChainConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keystore: PathBuf::from("secrets/signer/keystore.json"),
            passphrase: SecretFile::new("secrets/signer/passphrase"),
            create_if_missing: false,
            chains: Vec::new(),
        }
    }
}

/// A chain that is signed for. All amounts are whole numbers of smallest units, as texts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChainConfig {
    /// Its chain id.
    pub chain_id: u64,
    /// The most that one transaction may cost in fees, in wei.
    #[schemars(with = "String")]
    pub fee_per_transaction_max: Amount,
    /// The most that the transactions of 24 hours may cost in fees, in wei.
    #[schemars(with = "String")]
    pub fees_per_day_max: Amount,
    /// What may be paid on it. Anything else is refused, whatever `payment` lists.
    pub assets: Vec<AssetConfig>,
}

/// An asset that may be paid.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AssetConfig {
    /// A token's contract; absent for the chain's own coin.
    #[serde(default)]
    pub contract: Option<String>,
    /// The most that one payment may be.
    #[schemars(with = "String")]
    pub per_transaction_max: Amount,
    /// The most that the payments of 24 hours may be.
    #[schemars(with = "String")]
    pub per_day_max: Amount,
}
