use ferrex_money::AssetId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who an account belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The company that runs the platform.
    House,
    /// A person, by the UUID of their user id.
    User(Uuid),
}

/// Which side of the books increases an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normal {
    /// What the house owes or has earned: credits increase it, and debits may not exceed credits.
    Credit,
    /// What the house has or has spent: debits increase it, and credits may not exceed debits.
    Debit,
}

/// What an account is for. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Purpose {
    /// A person's spendable money.
    Wallet = 1,
    /// What a person owes the house, after a reversal of money that was already spent.
    Debt = 2,
    /// Coins on the deposit addresses of people.
    DepositAddresses = 10,
    /// Coins in the wallet that pays withdrawals.
    HotWallet = 11,
    /// Coins in offline storage.
    ColdWallet = 12,
    /// What chains charged for transactions.
    NetworkFees = 13,
    /// The operator's own money.
    Capital = 20,
    /// Earned fees.
    Fees = 21,
    /// Money that arrived and is not yet anybody's.
    Suspense = 22,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Self; 9] = [
        Self::Wallet,
        Self::Debt,
        Self::DepositAddresses,
        Self::HotWallet,
        Self::ColdWallet,
        Self::NetworkFees,
        Self::Capital,
        Self::Fees,
        Self::Suspense,
    ];

    /// The stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The purpose of a stored number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }

    /// Which side increases accounts of this purpose.
    pub const fn normal(self) -> Normal {
        match self {
            Self::Wallet | Self::Capital | Self::Fees | Self::Suspense => Normal::Credit,
            Self::Debt | Self::DepositAddresses | Self::HotWallet | Self::ColdWallet | Self::NetworkFees => {
                Normal::Debit
            }
        }
    }
}

/// Names an account within one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Who it belongs to.
    pub owner: Owner,
    /// What it is for.
    pub purpose: Purpose,
}

impl Account {
    /// An account of the house.
    pub const fn house(purpose: Purpose) -> Self {
        Self {
            owner: Owner::House,
            purpose,
        }
    }

    /// A person's spendable money.
    pub const fn wallet(user: Uuid) -> Self {
        Self {
            owner: Owner::User(user),
            purpose: Purpose::Wallet,
        }
    }
}

/// Names one account: (owner, asset, purpose), which the engine maps to a dense number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountKey {
    /// Owner and purpose.
    pub account: Account,
    /// The asset it holds.
    pub asset: AssetId,
}

/// The dense number of an account within its shard, given by the engine in the order of opening, from 1 on.
/// 0 stands for "none" in a journal row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u32);
