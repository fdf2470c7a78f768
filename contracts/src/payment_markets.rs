//! What `payment` is asked about markets and their fees.

use ferrex_money::{Amount, AssetId};

use crate::StaffAction;
use crate::engine::{FeeRate, MarketState};

messages! {
    /// Makes a market, halted. What it is cannot be changed afterwards.
    CreateMarket {
        /// What it trades, and within which bounds.
        terms: MarketTerms,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Changes what may happen in a market.
    SetMarketState {
        /// Its symbol.
        symbol: String,
        /// The new state.
        state: MarketState,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Asks for all markets.
    ListMarkets {}
    /// All markets.
    MarketRegistry {
        /// By number.
        markets: Vec<MarketView>,
    }
    /// A market.
    MarketView {
        /// Its number.
        market: u32,
        /// Its symbol, such as `ETH-USDT`.
        symbol: String,
        /// What it trades, and within which bounds.
        terms: MarketTerms,
        /// What may happen in it; none until the engine has made it.
        state: Option<MarketState>,
        /// Its fees by tier, from 0 on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fees: Vec<FeeRate>,
    }
    /// What a market trades. Prices are in smallest units of the quote asset for one whole unit of the base asset.
    MarketTerms {
        /// What is bought and sold.
        base: AssetId,
        /// What it is paid with.
        quote: AssetId,
        /// The step of prices.
        tick: Amount,
        /// The step of quantities.
        lot: Amount,
        /// The highest price.
        price_max: Amount,
        /// The smallest quantity of an order.
        quantity_min: Amount,
        /// The largest quantity of an order.
        quantity_max: Amount,
        /// The smallest value of an order, in the quote asset.
        value_min: Amount,
        /// How far a price may lie from the last trade's, in millionths of it; 0 for no bound.
        band_ppm: u32,
        /// How many orders a person may have open.
        open_orders_max: u32,
        /// Takes the place of the last trade's price before the first trade.
        reference_price: Option<Amount>,
        /// Fee of an order that rested, in millionths of what is received, in the beginning.
        maker_ppm: u32,
        /// Fee of an order that came, in millionths of what is received, in the beginning.
        taker_ppm: u32,
    }
    /// Changes the fees of a market.
    SetMarketFees {
        /// Its symbol.
        symbol: String,
        /// By tier, from 0 on: 1 to 64. A person above the last tier has the last.
        fees: Vec<FeeRate>,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Changes which volume gives which fee tier.
    SetFeeSchedule {
        /// Trades in markets of this asset count, by how much of it changed hands.
        asset: AssetId,
        /// Growing, 63 at most: the least volume of 30 days for tier 1, for tier 2 and so on.
        volumes: Vec<Amount>,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Asks which volume gives which fee tier.
    GetFeeSchedule {}
    /// Which volume gives which fee tier.
    FeeSchedule {
        /// The asset that volumes are in; none while everybody is in tier 0.
        asset: Option<AssetId>,
        /// The least volume of 30 days for tier 1, for tier 2 and so on.
        volumes: Vec<Amount>,
    }
}

requests! { "payment.requests.v1":
    CreateMarket = "payment.market.create" -> MarketView,
    SetMarketState = "payment.market.set_state" -> MarketView,
    SetMarketFees = "payment.market.set_fees" -> MarketView,
    ListMarkets = "payment.market.list" -> MarketRegistry,
    SetFeeSchedule = "payment.fee_schedule.set" -> FeeSchedule,
    GetFeeSchedule = "payment.fee_schedule.get" -> FeeSchedule,
}
