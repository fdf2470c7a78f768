use serde::{Deserialize, Serialize};

/// A price in ticks of its market, from 1 on; 0 stands for none.
pub type Ticks = u64;
/// A quantity in lots of its market.
pub type Lots = u64;
/// The expiry of an order that has none.
pub const NEVER: i64 = i64::MAX;

/// The dense number of an order within its market, given in the order of acceptance, from 1 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderNo(pub u64);

/// Which way an order goes. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Side {
    /// Takes the base asset for the quote asset.
    Buy = 0,
    /// Gives the base asset for the quote asset.
    Sell = 1,
}

impl Side {
    /// Its stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The side of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Buy),
            1 => Some(Self::Sell),
            _ => None,
        }
    }

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Whether an order of this side with this limit may trade at a price.
    pub const fn reaches(self, limit: Ticks, price: Ticks) -> bool {
        match self {
            Self::Buy => price <= limit,
            Self::Sell => price >= limit,
        }
    }
}

/// What happens when an order meets one of its own owner. The mode is that of the order that comes. The numbers are
/// stored and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SelfTrade {
    /// What is left of the order that comes is cancelled.
    #[default]
    CancelNewest = 0,
    /// The order that rests is cancelled.
    CancelOldest = 1,
    /// Both are cancelled.
    CancelBoth = 2,
    /// Both become smaller by what they would have traded.
    Decrement = 3,
}

impl SelfTrade {
    /// Its stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The mode of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::CancelNewest,
            1 => Self::CancelOldest,
            2 => Self::CancelBoth,
            3 => Self::Decrement,
            _ => return None,
        })
    }
}

/// What becomes of the part of an order that does not trade at once. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Tif {
    /// It rests until it is filled, cancelled or expired.
    #[default]
    Gtc = 0,
    /// It is cancelled.
    Ioc = 1,
    /// All or nothing, at once.
    Fok = 2,
    /// All of it rests; an order that would trade at once is refused.
    PostOnly = 3,
}

impl Tif {
    /// Its stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The value of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Gtc,
            1 => Self::Ioc,
            2 => Self::Fok,
            3 => Self::PostOnly,
            _ => return None,
        })
    }

    /// Whether what is left may rest.
    pub const fn rests(self) -> bool {
        matches!(self, Self::Gtc | Self::PostOnly)
    }
}

/// Why an order is no longer open. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum End {
    /// All of it has traded; or, of one by value, what is left does not buy a lot.
    Filled = 1,
    /// Its owner or the operator cancelled it.
    Cancelled = 2,
    /// Its time was over.
    Expired = 3,
    /// It may not rest, and nothing more was there to trade with.
    Unfilled = 4,
    /// It met an order of its own owner.
    SelfTrade = 5,
}

impl End {
    /// Its stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The reason of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Filled,
            2 => Self::Cancelled,
            3 => Self::Expired,
            4 => Self::Unfilled,
            5 => Self::SelfTrade,
            _ => return None,
        })
    }
}

/// Why the book does not take an order or its amendment. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A post-only order would trade at once.
    #[error("a post-only order would take")]
    WouldTake,
    /// A fill-or-kill order cannot be filled at once.
    #[error("the order cannot be filled at once")]
    NotFillable,
    /// Nothing rests within the limit of a market order.
    #[error("nothing to trade with")]
    NoLiquidity,
    /// It would first meet an order of its own owner, or in an auction could.
    #[error("the order would trade with its own owner")]
    SelfTrade,
    /// An order by value does not buy one lot at the best price.
    #[error("the value is below one lot")]
    BelowOneLot,
}

/// An order that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Dense number of the owner.
    pub owner: u32,
    /// Which way.
    pub side: Side,
    /// Worst price at which it may trade.
    pub limit: Ticks,
    /// How much; of an order by value, the most it may trade.
    pub lots: Lots,
    /// Of a buy by value, how much it may spend, in ticks × lots; 0 for an order by quantity.
    pub value: u128,
    /// Whether it never rests and is refused when nothing is there.
    pub market: bool,
    /// What becomes of the rest.
    pub tif: Tif,
    /// Of an iceberg, the most that it shows; 0 for all.
    pub display: Lots,
    /// Of a stop, the last price that triggers it; 0 for none.
    pub stop: Ticks,
    /// From when on it may expire; [`NEVER`] for never. The unit is the caller's.
    pub expires_at: i64,
    /// What happens when it meets its own owner.
    pub self_trade: SelfTrade,
}

/// An open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its number.
    pub order: OrderNo,
    /// Dense number of the owner.
    pub owner: u32,
    /// Which way.
    pub side: Side,
    /// Worst price at which it may trade.
    pub limit: Ticks,
    /// All that it wants to trade, the traded part included.
    pub total: Lots,
    /// What has not traded.
    pub left: Lots,
    /// The part of it that others see.
    pub shown: Lots,
    /// Of an iceberg, the most that it shows; 0 for all.
    pub display: Lots,
    /// As in [`Place::value`].
    pub value: u128,
    /// As in [`Place::market`].
    pub market: bool,
    /// What becomes of the rest.
    pub tif: Tif,
    /// Of a stop, the price that triggers or triggered it; 0 for none.
    pub stop: Ticks,
    /// Whether it still waits to be triggered.
    pub waiting: bool,
    /// From when on it may expire.
    pub expires_at: i64,
    /// What happens when it meets its own owner.
    pub self_trade: SelfTrade,
    /// Its place in time: of two orders at one price the lower is first.
    pub priority: u64,
}
