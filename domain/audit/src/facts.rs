//! What a reader hands over, as the database holds it and without any judgement.

use ruint::aliases::U256;
use uuid::Uuid;

/// A number of an asset's smallest units, read from decimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(pub(crate) U256);

impl Units {
    /// Reads digits; `None` for anything else, a sign or a fraction among it, and for what exceeds 256 bits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        U256::from_str_radix(text, 10).ok().map(Self)
    }
}

impl std::fmt::Display for Units {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A row of `account`.
#[derive(Clone, Copy, Debug)]
pub struct AccountFact {
    /// Its number.
    pub id: i64,
    /// The person; `None` for the house.
    pub owner: Option<Uuid>,
    /// Number of the purpose.
    pub purpose: i64,
    /// Number of the asset.
    pub asset: i64,
}

/// A row of `journal`.
#[derive(Clone, Copy, Debug)]
pub struct RowFact {
    /// Its id.
    pub id: i64,
    /// The command.
    pub command: Uuid,
    /// Fingerprint of the command's body.
    pub fingerprint: i64,
    /// Number of the reason.
    pub reason: i64,
    /// What it is about.
    pub reference: Uuid,
    /// Number of the kind.
    pub kind: i64,
    /// Account debited or held; 0 for none.
    pub debit: i64,
    /// Account credited; 0 for none.
    pub credit: i64,
    /// Number of the asset.
    pub asset: i64,
    /// How much.
    pub amount: Units,
    /// The hold.
    pub hold: Option<Uuid>,
    /// Number of the refusal; 0 for none.
    pub refusal: i64,
    /// Whether it is the last row of its command.
    pub last: bool,
    /// What it has about a market or an order.
    pub order: Option<OrderFact>,
}

/// A row of `journal_order`, as far as money depends on it.
#[derive(Clone, Copy, Debug)]
pub struct OrderFact {
    /// Number of the market.
    pub market: i64,
    /// Number of the order; in a trade of the one that pays.
    pub order: i64,
    /// In a trade, whether the paying order had set the amount aside.
    pub maker: bool,
    /// In a trade, what the payee passes on to the house.
    pub fee: Units,
}

/// A row of `open_order`, as far as money depends on it.
#[derive(Clone, Copy, Debug)]
pub struct OpenOrderFact {
    /// Number of the market.
    pub market: i64,
    /// Number of the order.
    pub order: i64,
    /// The account it has set something aside of.
    pub account: i64,
    /// How much.
    pub held: Units,
}

/// A row of `balance`.
#[derive(Clone, Copy, Debug)]
pub struct BalanceFact {
    /// The account.
    pub account: i64,
    /// All of it, in its normal direction.
    pub total: Units,
    /// The part set aside.
    pub held: Units,
}

/// A row of `hold`.
#[derive(Clone, Copy, Debug)]
pub struct HoldFact {
    /// The hold.
    pub id: Uuid,
    /// The account it is on.
    pub account: i64,
    /// How much is left.
    pub left: Units,
    /// Whether it is closed.
    pub closed: bool,
}

/// The projection and the row up to which it is true.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// The row.
    pub journal_id: i64,
    /// Balances.
    pub balances: Vec<BalanceFact>,
    /// Holds.
    pub holds: Vec<HoldFact>,
    /// Open orders.
    pub orders: Vec<OpenOrderFact>,
}

/// Who may do what to the journal.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// Login roles, other than superusers and the owner, that may insert, update, delete or truncate.
    pub writers: Vec<String>,
    /// The role that owns the table.
    pub owner: String,
    /// Whether the trigger that refuses changes is there and enabled.
    pub guarded: bool,
}

#[cfg(test)]
mod tests;
