//! The signer's own rules, from its settings alone: what `payment` lists or asks does not widen them (A98).

use std::collections::BTreeMap;

use ferrex_chains::evm::EvmAddress;
use ferrex_money::Amount;

use crate::{Config, Error};

/// Caps on one asset of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AssetPolicy {
    pub(crate) per_transaction_max: Amount,
    pub(crate) per_day_max: Amount,
}

/// Caps on one chain.
#[derive(Clone, Debug)]
pub(crate) struct ChainPolicy {
    pub(crate) fee_per_transaction_max: Amount,
    pub(crate) fees_per_day_max: Amount,
    assets: BTreeMap<Option<EvmAddress>, AssetPolicy>,
}

/// All caps.
#[derive(Clone, Debug)]
pub(crate) struct Policy(BTreeMap<u64, ChainPolicy>);

impl Policy {
    pub(crate) fn try_new(config: &Config) -> Result<Self, Error> {
        let mut chains = BTreeMap::new();
        for chain in &config.chains {
            let refused = |reason: String| Error::Settings(format!("chain {}: {reason}", chain.chain_id));
            if chain.chain_id == 0 || i64::try_from(chain.chain_id).is_err() {
                return Err(refused("a chain id lies between 1 and 2^63 - 1".to_owned()));
            }
            let mut assets = BTreeMap::new();
            for asset in &chain.assets {
                let contract = asset.contract.as_deref().map(EvmAddress::parse).transpose();
                let contract = contract.map_err(|error| refused(format!("contract: {error}")))?;
                let caps = AssetPolicy {
                    per_transaction_max: asset.per_transaction_max,
                    per_day_max: asset.per_day_max,
                };
                if assets.insert(contract, caps).is_some() {
                    return Err(refused(format!("the asset {contract:?} is given twice")));
                }
            }
            let policy = ChainPolicy {
                fee_per_transaction_max: chain.fee_per_transaction_max,
                fees_per_day_max: chain.fees_per_day_max,
                assets,
            };
            if chains.insert(chain.chain_id, policy).is_some() {
                return Err(refused("is given twice".to_owned()));
            }
        }
        Ok(Self(chains))
    }

    pub(crate) fn chain(&self, chain_id: u64) -> Result<&ChainPolicy, Error> {
        self.0.get(&chain_id).ok_or(Error::ChainUnknown(chain_id))
    }
}

impl ChainPolicy {
    pub(crate) fn asset(&self, chain_id: u64, contract: Option<EvmAddress>) -> Result<AssetPolicy, Error> {
        self.assets
            .get(&contract)
            .copied()
            .ok_or(Error::AssetUnknown { chain_id, contract })
    }

    pub(crate) fn check_fee(&self, fee: Amount) -> Result<(), Error> {
        let cap = self.fee_per_transaction_max;
        if fee > cap {
            Err(Error::AboveFeeCap { cap, fee })
        } else {
            Ok(())
        }
    }
}

impl AssetPolicy {
    pub(crate) fn check_payment(self, amount: Amount) -> Result<(), Error> {
        let cap = self.per_transaction_max;
        if amount > cap {
            Err(Error::AbovePaymentCap { cap })
        } else {
            Ok(())
        }
    }
}
