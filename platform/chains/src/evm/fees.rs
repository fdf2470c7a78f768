//! What to offer for gas (EIP-1559), within caps. Pure; all prices are wei per gas.

use ferrex_fault::{Classify, Kind};

/// What the chain asks at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeMarket {
    /// The base fee of the next block.
    pub base_fee: u128,
    /// The tip that gets a transaction mined.
    pub tip: u128,
}

/// What the operator lets us offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeCaps {
    /// Highest price per gas.
    pub max_fee_per_gas: u128,
    /// Highest tip per gas.
    pub max_priority_fee_per_gas: u128,
    /// Lowest tip per gas, for chains whose nodes name none.
    pub min_priority_fee_per_gas: u128,
}

/// An offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeQuote {
    /// Highest price per gas.
    pub max_fee_per_gas: u128,
    /// Highest tip per gas, within the price.
    pub max_priority_fee_per_gas: u128,
}

/// Why there is no offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    /// What the chain asks is above the cap; wait until it falls.
    #[error("the network asks {asked} wei per gas, the cap is {cap}")]
    AboveCap {
        /// Asked per gas.
        asked: u128,
        /// Allowed per gas.
        cap: u128,
    },
    /// Nodes accept a replacement only when it offers more, and that is above the cap.
    #[error("a replacement must offer {asked} wei per gas, the cap is {cap}")]
    ReplacementAboveCap {
        /// Asked per gas.
        asked: u128,
        /// Allowed per gas.
        cap: u128,
    },
}

impl Classify for FeeError {
    fn kind(&self) -> Kind {
        Kind::Unavailable
    }
    fn code(&self) -> &'static str {
        match self {
            Self::AboveCap { .. } => "chains.fee.above_cap",
            Self::ReplacementAboveCap { .. } => "chains.fee.replacement_above_cap",
        }
    }
}

impl FeeQuote {
    /// The most that `gas_limit` gas can cost under this offer, in wei; `None` above 128 bits.
    pub fn fee_max(&self, gas_limit: u64) -> Option<u128> {
        self.max_fee_per_gas.checked_mul(u128::from(gas_limit))
    }
}

/// An offer for a new transaction: the tip within its bounds, and a price of twice the base fee plus the tip, which
/// holds through six full blocks, or the cap where that is less. Refused when the cap does not even pay the next block.
pub fn quote(market: FeeMarket, caps: FeeCaps) -> Result<FeeQuote, FeeError> {
    let tip = market
        .tip
        .max(caps.min_priority_fee_per_gas)
        .min(caps.max_priority_fee_per_gas);
    let asked = market.base_fee.saturating_add(tip);
    if asked > caps.max_fee_per_gas {
        return Err(FeeError::AboveCap {
            asked,
            cap: caps.max_fee_per_gas,
        });
    }
    let roomy = market.base_fee.saturating_mul(2).saturating_add(tip);
    Ok(FeeQuote {
        max_fee_per_gas: roomy.min(caps.max_fee_per_gas),
        max_priority_fee_per_gas: tip,
    })
}

/// The least that a replacement of `previous` must offer: an eighth more of both prices, rounded up. Nodes ask for a
/// tenth; some for an eighth.
pub fn replacement_min(previous: FeeQuote) -> FeeQuote {
    let raised = |price: u128| {
        price.saturating_add(
            (price / 8)
                .saturating_add(u128::from(!price.is_multiple_of(8)))
                .max(1),
        )
    };
    FeeQuote {
        max_fee_per_gas: raised(previous.max_fee_per_gas),
        max_priority_fee_per_gas: raised(previous.max_priority_fee_per_gas),
    }
}

/// An offer that replaces `previous`: what the market asks, and at least [`replacement_min`]. Its tip may go above the
/// cap on tips if that is what the raise takes; its price never goes above the cap on prices.
pub fn replacement(previous: FeeQuote, market: FeeMarket, caps: FeeCaps) -> Result<FeeQuote, FeeError> {
    let least = replacement_min(previous);
    let cap = caps.max_fee_per_gas;
    if least.max_fee_per_gas > cap {
        return Err(FeeError::ReplacementAboveCap {
            asked: least.max_fee_per_gas,
            cap,
        });
    }
    let fresh = quote(market, caps)?;
    let max_fee_per_gas = fresh.max_fee_per_gas.max(least.max_fee_per_gas);
    let tip = fresh.max_priority_fee_per_gas.max(least.max_priority_fee_per_gas);
    if tip > max_fee_per_gas {
        return Err(FeeError::ReplacementAboveCap { asked: tip, cap });
    }
    Ok(FeeQuote {
        max_fee_per_gas,
        max_priority_fee_per_gas: tip,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPS: FeeCaps = FeeCaps {
        max_fee_per_gas: 500,
        max_priority_fee_per_gas: 50,
        min_priority_fee_per_gas: 1,
    };

    #[test]
    fn f035_a_price_above_the_cap_waits() {
        let offer = quote(
            FeeMarket {
                base_fee: 100,
                tip: 10,
            },
            CAPS,
        )
        .unwrap();
        assert_eq!(
            offer,
            FeeQuote {
                max_fee_per_gas: 210,
                max_priority_fee_per_gas: 10
            }
        );
        let offer = quote(
            FeeMarket {
                base_fee: 300,
                tip: 90,
            },
            CAPS,
        )
        .unwrap();
        assert_eq!(
            offer,
            FeeQuote {
                max_fee_per_gas: 500,
                max_priority_fee_per_gas: 50
            }
        );
        let refused = quote(
            FeeMarket {
                base_fee: 5_000,
                tip: 10,
            },
            CAPS,
        )
        .unwrap_err();
        assert_eq!(
            refused,
            FeeError::AboveCap {
                asked: 5_010,
                cap: 500
            }
        );
    }

    fn prices() -> impl Strategy<Value = u128> {
        prop_oneof![Just(0), Just(1), Just(u128::MAX), 0u128..1_000, any::<u128>()]
    }

    proptest! {
        #[test]
        fn a78_no_answer_of_a_node_moves_the_offer_above_the_caps(base_fee in prices(), tip in prices()) {
            if let Ok(offer) = quote(FeeMarket { base_fee, tip }, CAPS) {
                prop_assert!(offer.max_fee_per_gas <= CAPS.max_fee_per_gas);
                prop_assert!(offer.max_priority_fee_per_gas <= CAPS.max_priority_fee_per_gas);
                prop_assert!(offer.max_priority_fee_per_gas <= offer.max_fee_per_gas);
            }
        }

        #[test]
        fn h028_a_replacement_offers_enough_or_is_none(
            fee in 0u128..600, tip in 0u128..600, base_fee in prices(), asked in prices(),
        ) {
            let previous = FeeQuote { max_fee_per_gas: fee.max(tip), max_priority_fee_per_gas: tip };
            if let Ok(offer) = replacement(previous, FeeMarket { base_fee, tip: asked }, CAPS) {
                prop_assert!(offer.max_fee_per_gas <= CAPS.max_fee_per_gas);
                prop_assert!(offer.max_fee_per_gas * 8 >= previous.max_fee_per_gas * 9);
                prop_assert!(offer.max_priority_fee_per_gas * 8 >= previous.max_priority_fee_per_gas * 9);
                prop_assert!(offer.max_fee_per_gas > previous.max_fee_per_gas);
                prop_assert!(offer.max_priority_fee_per_gas <= offer.max_fee_per_gas);
            }
        }
    }
}
