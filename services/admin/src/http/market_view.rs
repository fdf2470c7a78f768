//! How markets are shown and named.

use ferrex_contracts::engine;
use ferrex_contracts::payment;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A market.
#[derive(Serialize, ToSchema)]
pub(super) struct MarketView {
    /// Its number.
    market: u32,
    /// Its symbol.
    #[schema(example = "ETH-USDT")]
    symbol: String,
    /// What may happen in it; absent until the engine has made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<MarketState>,
    /// Its fees by tier, from 0 on.
    fees: Vec<FeeRate>,
}

/// Fees of a tier, in millionths of what is received.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeeRate {
    /// Of an order that rested.
    #[schema(maximum = 999_999, example = 1_000)]
    maker_ppm: u32,
    /// Of an order that came.
    #[schema(maximum = 999_999, example = 2_000)]
    taker_ppm: u32,
}

impl From<engine::FeeRate> for FeeRate {
    fn from(rate: engine::FeeRate) -> Self {
        Self {
            maker_ppm: rate.maker_ppm,
            taker_ppm: rate.taker_ppm,
        }
    }
}

impl From<FeeRate> for engine::FeeRate {
    fn from(rate: FeeRate) -> Self {
        Self {
            maker_ppm: rate.maker_ppm,
            taker_ppm: rate.taker_ppm,
        }
    }
}

/// What may happen in a market.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MarketState {
    /// Everything.
    Open,
    /// Orders may be cancelled and expire, nothing else.
    CancelOnly,
    /// Orders may expire, nothing else.
    Halted,
    /// Limit orders gather without trading; opening the market trades them at one price.
    Auction,
}

impl From<payment::MarketView> for MarketView {
    fn from(view: payment::MarketView) -> Self {
        Self {
            market: view.market,
            symbol: view.symbol,
            state: view.state.map(Into::into),
            fees: view.fees.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<engine::MarketState> for MarketState {
    fn from(state: engine::MarketState) -> Self {
        match state {
            engine::MarketState::Open => Self::Open,
            engine::MarketState::CancelOnly => Self::CancelOnly,
            engine::MarketState::Halted => Self::Halted,
            engine::MarketState::Auction => Self::Auction,
        }
    }
}

impl From<MarketState> for engine::MarketState {
    fn from(state: MarketState) -> Self {
        match state {
            MarketState::Open => Self::Open,
            MarketState::CancelOnly => Self::CancelOnly,
            MarketState::Halted => Self::Halted,
            MarketState::Auction => Self::Auction,
        }
    }
}
