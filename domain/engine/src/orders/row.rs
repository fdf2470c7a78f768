use ferrex_matching::{End, Lots, OrderNo, SelfTrade, Side, Ticks, Tif};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FeeRate, MarketId, MarketSpec, MarketState};

/// What a row about a market or an order has beside the columns of every row. What a kind does not use is 0 or `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderPart {
    /// The market.
    pub market: MarketId,
    /// The order; in a trade the one that pays.
    pub order: OrderNo,
    /// In a trade the order that is paid.
    pub other: OrderNo,
    /// In a trade its price, else the order's limit.
    pub price: Ticks,
    /// In a trade how much, else the order's total, what has traded included.
    pub lots: Lots,
    /// What the order has left after this row.
    pub left: Lots,
    /// Of an iceberg, the most that it shows.
    pub display: Lots,
    /// Of a stop, the price that triggers it.
    pub stop: Ticks,
    /// In a trade, what the paid side passes on to the fees account out of the row's amount.
    pub fee: u128,
    /// The caller's own name for the order.
    pub client: Option<Uuid>,
    /// Everything that is a choice of a few.
    pub flags: OrderFlags,
}

impl OrderPart {
    pub(crate) const fn new(market: MarketId, order: OrderNo) -> Self {
        Self {
            market,
            order,
            other: OrderNo(0),
            price: 0,
            lots: 0,
            left: 0,
            display: 0,
            stop: 0,
            fee: 0,
            client: None,
            flags: OrderFlags(0),
        }
    }
}

/// Bits of an order row. Their places are stored and never change.
///
/// | bits | meaning |
/// |---|---|
/// | 0 | side: 1 for a sell |
/// | 1, 2 | self-trade mode |
/// | 3, 4 | time in force |
/// | 5 | it never rests |
/// | 6 | it is a buy by value |
/// | 7 | it waits for its stop price |
/// | 8 | trade: the paying order rested, and pays out of what it has set aside |
/// | 9 | trade, set: the order went to the end of its queue |
/// | 10 | trade: in an auction |
/// | 11 | lifted: a stop was triggered; else the order was amended |
/// | 12 to 15 | why it ended, or the state of the market |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderFlags(pub u16);

impl OrderFlags {
    pub(crate) const MARKET: u16 = 1 << 5;
    pub(crate) const BY_VALUE: u16 = 1 << 6;
    pub(crate) const WAITING: u16 = 1 << 7;
    pub(crate) const MAKER: u16 = 1 << 8;
    pub(crate) const REQUEUED: u16 = 1 << 9;
    pub(crate) const AUCTION: u16 = 1 << 10;
    pub(crate) const TRIGGERED: u16 = 1 << 11;

    pub(crate) const fn order(side: Side, self_trade: SelfTrade, tif: Tif) -> Self {
        Self(side.code() as u16 | ((self_trade.code() as u16) << 1) | ((tif.code() as u16) << 3))
    }

    pub(crate) const fn state(state: MarketState) -> Self {
        Self((state.code() as u16) << 12)
    }

    #[must_use]
    pub(crate) const fn with(self, bit: u16, on: bool) -> Self {
        if on { Self(self.0 | bit) } else { self }
    }

    #[must_use]
    pub(crate) const fn ended(self, why: End) -> Self {
        Self(self.0 | ((why.code() as u16) << 12))
    }

    const fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    const fn choice(self) -> u8 {
        (self.0 >> 12) as u8
    }

    /// Side of the order.
    pub const fn side(self) -> Side {
        if self.has(1) { Side::Sell } else { Side::Buy }
    }

    /// Self-trade mode of the order.
    pub const fn self_trade(self) -> Option<SelfTrade> {
        SelfTrade::from_code(((self.0 >> 1) & 3) as u8)
    }

    /// Time in force of the order.
    pub const fn tif(self) -> Option<Tif> {
        Tif::from_code(((self.0 >> 3) & 3) as u8)
    }

    /// Whether the order never rests.
    pub const fn is_market(self) -> bool {
        self.has(Self::MARKET)
    }

    /// Whether the order is a buy by value.
    pub const fn is_by_value(self) -> bool {
        self.has(Self::BY_VALUE)
    }

    /// Whether the order waits for its stop price.
    pub const fn is_waiting(self) -> bool {
        self.has(Self::WAITING)
    }

    /// Of a trade: whether the paying order rested, and pays out of what it has set aside.
    pub const fn is_maker(self) -> bool {
        self.has(Self::MAKER)
    }

    /// Whether the order went to the end of its queue.
    pub const fn is_requeued(self) -> bool {
        self.has(Self::REQUEUED)
    }

    /// Of a trade: whether it happened in an auction.
    pub const fn is_auction(self) -> bool {
        self.has(Self::AUCTION)
    }

    /// Of a lifted order: whether it was a stop that was triggered.
    pub const fn is_triggered(self) -> bool {
        self.has(Self::TRIGGERED)
    }

    /// Why the order is no longer open; `None` for one that is.
    pub const fn end(self) -> Option<End> {
        End::from_code(self.choice())
    }

    /// The state of the market.
    pub const fn market_state(self) -> Option<MarketState> {
        MarketState::from_code(self.choice())
    }
}

/// What the rare rows have beside all others: stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Details {
    /// The market that was created.
    Market(MarketSpec),
    /// The fees of a market by tier.
    Fees(Vec<FeeRate>),
    /// The tier of a person.
    Tier {
        /// The person.
        owner: Uuid,
        /// From 0 on.
        tier: u8,
    },
}
