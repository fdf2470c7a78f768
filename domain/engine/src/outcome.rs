use ferrex_ledger::{AccountKey, Denied};
use ferrex_money::Amount;
use serde::{Deserialize, Serialize};

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
}

impl Refusal {
    /// Every refusal there is.
    pub const ALL: [Self; 15] = [
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
