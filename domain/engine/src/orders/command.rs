use ferrex_matching::{SelfTrade, Side, Tif};
use ferrex_money::{Amount, AssetId};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The number of a market, given by the operator: 1 to [`MarketId::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MarketId(pub u32);

impl MarketId {
    /// The highest number: markets lie in an array.
    pub const MAX: u32 = 65_535;
}

/// What may happen in a market. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum MarketState {
    /// Everything.
    Open = 1,
    /// Orders may be cancelled and expire, nothing else.
    CancelOnly = 2,
    /// Orders may expire, nothing else. A market begins so.
    Halted = 3,
    /// Limit orders gather without trading; opening the market trades them at one price.
    Auction = 4,
}

impl MarketState {
    /// The stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The state of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Open,
            2 => Self::CancelOnly,
            3 => Self::Halted,
            4 => Self::Auction,
            _ => return None,
        })
    }
}

/// What a market trades and within which bounds. It never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketSpec {
    /// What is bought and sold.
    pub base: AssetId,
    /// What it is paid with.
    pub quote: AssetId,
    /// The quantity of the base asset that a price is for, in its smallest units: usually one whole coin.
    pub per: Amount,
    /// Prices are multiples of this many smallest units of the quote asset (for `per`).
    pub tick: Amount,
    /// Quantities are multiples of this many smallest units of the base asset.
    pub lot: Amount,
    /// The highest price.
    pub price_max: Amount,
    /// The smallest quantity of an order.
    pub quantity_min: Amount,
    /// The largest quantity of an order.
    pub quantity_max: Amount,
    /// The smallest value of an order, in the quote asset.
    pub value_min: Amount,
    /// How far a price may lie from the last trade's, in millionths of it; 0 for no bound.
    pub band_ppm: u32,
    /// How many orders a person may have open.
    pub open_orders_max: u32,
    /// Takes the place of the last trade's price before the first trade.
    pub reference_price: Option<Amount>,
}

/// Fees of one tier, in millionths of what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeRate {
    /// Of an order that rested.
    pub maker_ppm: u32,
    /// Of an order that came.
    pub taker_ppm: u32,
}

/// An order to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// Where.
    pub market: MarketId,
    /// The person whose wallet trades.
    pub owner: Uuid,
    /// Which way.
    pub side: Side,
    /// At which price and how much.
    pub kind: OrderKind,
    /// Everything else.
    pub terms: Terms,
}

/// Price and quantity of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OrderKind {
    /// At this price or a better one.
    Limit {
        /// In smallest units of the quote asset for [`MarketSpec::per`].
        price: Amount,
        /// Of the base asset.
        quantity: Amount,
        /// What becomes of what does not trade at once.
        tif: Tif,
    },
    /// At once, at whatever prices there are up to the protection price.
    Market {
        /// Of the base asset.
        quantity: Amount,
        /// The worst price.
        protection: Amount,
    },
    /// As [`OrderKind::Market`], for as much of the base asset as an amount of the quote asset buys. Only buys.
    MarketByValue {
        /// Of the quote asset.
        value: Amount,
        /// The worst price.
        protection: Amount,
    },
}

/// What most orders leave at its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// Of a stop, the last price that triggers it: from here on up for a buy, down for a sell.
    pub stop: Option<Amount>,
    /// Of an iceberg, the most that others see.
    pub display: Option<Amount>,
    /// From when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// What happens when it meets an order of the same person.
    pub self_trade: SelfTrade,
    /// The caller's own name for it, unique among the person's open orders of the market.
    pub client: Option<Uuid>,
}

/// Which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderRef {
    /// By the engine's number.
    Number(u64),
    /// By the caller's own name.
    Client(Uuid),
}

/// A change of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmendOrder {
    /// Where.
    pub market: MarketId,
    /// The person whose order it is.
    pub owner: Uuid,
    /// The order.
    pub order: OrderRef,
    /// Its new price; `None` leaves it.
    pub price: Option<Amount>,
    /// Its new quantity, what has traded included; `None` leaves it. At or below what has traded it ends the order.
    pub quantity: Option<Amount>,
}
