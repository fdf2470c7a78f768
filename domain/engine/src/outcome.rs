use ferrex_ledger::{AccountKey, Denied};
use ferrex_money::Amount;
use serde::{Deserialize, Serialize};

use crate::OrderReport;

/// The engine's answer to a command; committed when it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It happened.
    Applied {
        /// Journal id of its last row.
        sequence: u64,
    },
    /// It did not happen, and never will under this command id.
    Refused {
        /// Journal id of the row that remembers the refusal; 0 for one that depends on the command alone and is
        /// therefore not remembered.
        sequence: u64,
        /// Why.
        refusal: Refusal,
    },
}

/// Why a command was refused. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[repr(u16)]
pub enum Refusal {
    /// An account has less available than the command takes.
    #[error("not enough available")]
    InsufficientAvailable = 1,
    /// No hold of this id was ever made.
    #[error("there is no such hold")]
    HoldUnknown = 2,
    /// The hold was fully posted, voided or has expired.
    #[error("the hold is closed")]
    HoldClosed = 3,
    /// More was to be posted than is left of the hold.
    #[error("more than is left of the hold")]
    HoldExceeded = 4,
    /// The hold may not expire yet.
    #[error("the hold has not expired")]
    HoldNotExpired = 5,
    /// A hold of this id exists already.
    #[error("a hold of this id exists already")]
    HoldExists = 6,
    /// A balance would exceed 2^128 - 1 units.
    #[error("a balance would overflow")]
    BalanceOverflow = 7,
    /// A hold would be posted to the account that it is on.
    #[error("a hold cannot be posted to its own account")]
    PostToSelf = 8,
    /// No market has this number.
    #[error("there is no such market")]
    MarketUnknown = 20,
    /// The number of a market is taken.
    #[error("a market of this number exists already")]
    MarketExists = 21,
    /// The market is halted.
    #[error("the market is halted")]
    Halted = 22,
    /// The market takes no orders and no amendments.
    #[error("orders can only be cancelled")]
    CancelOnly = 23,
    /// An order that an auction cannot take.
    #[error("an auction takes resting limit orders and stops only")]
    NotInAuction = 24,
    /// A price between two ticks.
    #[error("the price is not a multiple of the tick")]
    OffTick = 25,
    /// A quantity between two lots.
    #[error("the quantity is not a multiple of the lot")]
    OffLot = 26,
    /// Quantity or value below the market's least, or not one lot for the value.
    #[error("the order is too small")]
    TooSmall = 27,
    /// Quantity, value or price above the market's most.
    #[error("the order is too large")]
    TooLarge = 28,
    /// A price outside the market's band.
    #[error("the price is too far from the last trade")]
    PriceOutsideBand = 29,
    /// The person has as many orders open as the market allows.
    #[error("too many open orders")]
    TooManyOpenOrders = 30,
    /// A post-only order would trade at once.
    #[error("a post-only order would take")]
    WouldTake = 31,
    /// A fill-or-kill order cannot be filled at once.
    #[error("the order cannot be filled at once")]
    NotFillable = 32,
    /// A market order finds nothing within its protection price.
    #[error("there is nothing to trade with")]
    NoLiquidity = 33,
    /// It would first, or in an auction could, trade with an order of the same person.
    #[error("the order would trade with its own owner")]
    SelfTrade = 34,
    /// The person has no such order open in this market.
    #[error("there is no such open order")]
    OrderUnknown = 35,
    /// The person has an open order of this name in this market.
    #[error("an open order has this client id")]
    ClientIdTaken = 36,
    /// A stop that waits is cancelled and placed anew.
    #[error("a stop that waits cannot be amended")]
    OrderWaits = 37,
    /// Nothing would change.
    #[error("there is nothing to do")]
    NothingToDo = 38,
    /// The order would have expired at once.
    #[error("the expiry is past")]
    ExpiryPast = 39,
    /// No step, or more than a command may have.
    #[error("a command has 1 to 64 steps")]
    StepCount = 100,
    /// An amount of zero.
    #[error("an amount of zero moves nothing")]
    ZeroAmount = 101,
    /// Debit and credit are the same account.
    #[error("debit and credit are the same account")]
    SameAccount = 102,
    /// Only credit-normal accounts can be held.
    #[error("this account cannot be held")]
    NotHoldable = 103,
    /// The id came before with another body.
    #[error("this command id was used for another command")]
    IdReused = 104,
    /// A time before 1970 or after 9999.
    #[error("a time lies between the years 1970 and 9999")]
    TimeOutOfRange = 105,
    /// An asset number above 2^31 - 1.
    #[error("an asset number is below 2^31")]
    AssetOutOfRange = 106,
    /// Number, assets or bounds of a market that cannot be.
    #[error("the market's bounds cannot be")]
    MarketSpec = 120,
    /// One lot at one tick would not cost a whole number of smallest units.
    #[error("a tick of one lot is no whole amount")]
    TickOfLot = 121,
    /// Terms that exclude each other.
    #[error("the order combines what excludes itself")]
    OrderShape = 122,
    /// Fee rates above one, or too many tiers.
    #[error("a fee is at most all, in at most 64 tiers")]
    FeeRates = 123,
}

impl Refusal {
    /// Every refusal there is.
    pub const ALL: [Self; 39] = [
        Self::InsufficientAvailable,
        Self::HoldUnknown,
        Self::HoldClosed,
        Self::HoldExceeded,
        Self::HoldNotExpired,
        Self::HoldExists,
        Self::BalanceOverflow,
        Self::PostToSelf,
        Self::StepCount,
        Self::ZeroAmount,
        Self::SameAccount,
        Self::NotHoldable,
        Self::IdReused,
        Self::TimeOutOfRange,
        Self::AssetOutOfRange,
        Self::MarketUnknown,
        Self::MarketExists,
        Self::Halted,
        Self::CancelOnly,
        Self::NotInAuction,
        Self::OffTick,
        Self::OffLot,
        Self::TooSmall,
        Self::TooLarge,
        Self::PriceOutsideBand,
        Self::TooManyOpenOrders,
        Self::WouldTake,
        Self::NotFillable,
        Self::NoLiquidity,
        Self::SelfTrade,
        Self::OrderUnknown,
        Self::ClientIdTaken,
        Self::OrderWaits,
        Self::NothingToDo,
        Self::ExpiryPast,
        Self::MarketSpec,
        Self::TickOfLot,
        Self::OrderShape,
        Self::FeeRates,
    ];

    /// The stored number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The refusal of a stored number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// Whether it depends on the engine's state and is therefore remembered under the command id.
    pub const fn is_remembered(self) -> bool {
        (self as u16) < 100
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::InsufficientAvailable => Self::InsufficientAvailable,
            Denied::BalanceOverflow => Self::BalanceOverflow,
            Denied::HoldUnknown => Self::HoldUnknown,
            Denied::HoldClosed => Self::HoldClosed,
            Denied::HoldExceeded => Self::HoldExceeded,
            Denied::HoldExists => Self::HoldExists,
            Denied::PostToSelf => Self::PostToSelf,
        }
    }
}

impl Outcome {
    /// Whether it happened.
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Applied { .. })
    }

    /// Journal id of the row that answers for it; 0 when there is none.
    pub const fn sequence(self) -> u64 {
        match self {
            Self::Applied { sequence } | Self::Refused { sequence, .. } => sequence,
        }
    }
}

/// An outcome with what it made of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The outcome.
    pub outcome: Outcome,
    /// The order that the command placed; `None` if it placed none, or if the command is a repeat of one that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderReport>,
}

/// What an account has, as of a journal id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// Which account.
    pub key: AccountKey,
    /// All of it, in the account's normal direction.
    pub total: Amount,
    /// The part that is set aside by holds; available is `total - held`.
    pub held: Amount,
    /// Journal id up to which this is true.
    pub sequence: u64,
}
