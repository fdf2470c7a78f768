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
