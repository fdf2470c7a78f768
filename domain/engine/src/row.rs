use ferrex_ids::CommandId;
use ferrex_ids::HoldId;
use ferrex_ledger::AccountKey;
use ferrex_time::Timestamp;
use uuid::Uuid;

use crate::{Details, OrderPart};

/// What a journal row records. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// An amount moved from `debit` to `credit`.
    Move = 1,
    /// An amount of `debit` was set aside under `hold`.
    Reserve = 2,
    /// An amount of `hold` moved from `debit` to `credit`; a hold with nothing left is closed by it.
    Post = 3,
    /// What was left of `hold` went back to `debit`; the hold is closed.
    Void = 4,
    /// As [`RowKind::Void`], because its time was over.
    Expire = 5,
    /// Nothing happened; the refusal is remembered.
    Refused = 6,
    /// One leg of a trade: an amount moved from `debit`, the wallet of the paying order, to `credit`, and `fee` of it on to
    /// the house's fees account of the asset. An order that rested pays out of what it has set aside, one that came out of
    /// what is available. The legs of a trade are two rows, quote asset first; lots of the paying order only.
    Trade = 7,
    /// An order was accepted; its trades, if any, stand before. `amount` of `debit` is set aside for it; `credit` is the
    /// wallet that it is paid to. One with a reason of its end was never open.
    OrderPlaced = 8,
    /// An order left the book to be matched anew; all `amount` that it had set aside of `debit` went back.
    OrderLifted = 9,
    /// An order has other values; `amount` of `debit` is what it has set aside from here on.
    OrderSet = 10,
    /// An order is no longer open; all `amount` that it had set aside of `debit` went back. One that trades have filled to
    /// the last unit of what it had set aside ends without this.
    OrderEnded = 11,
    /// A market was created; `debit` and `credit` are the fees accounts of base and quote asset.
    MarketCreated = 12,
    /// The state of a market changed.
    MarketSet = 13,
    /// The fees of a market changed.
    FeesSet = 14,
    /// The fee tier of a person changed.
    TierSet = 15,
}

impl RowKind {
    /// The stored number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Move,
            2 => Self::Reserve,
            3 => Self::Post,
            4 => Self::Void,
            5 => Self::Expire,
            6 => Self::Refused,
            7 => Self::Trade,
            8 => Self::OrderPlaced,
            9 => Self::OrderLifted,
            10 => Self::OrderSet,
            11 => Self::OrderEnded,
            12 => Self::MarketCreated,
            13 => Self::MarketSet,
            14 => Self::FeesSet,
            15 => Self::TierSet,
            _ => return None,
        })
    }

    /// Whether it is about a market, an order or a tier, and has an [`OrderPart`].
    pub const fn is_trading(self) -> bool {
        self.code() >= Self::Trade.code()
    }
}

/// An account that a command opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its dense number within the shard, from 1 on.
    pub id: u32,
    /// The shard.
    pub shard: u16,
    /// Owner, purpose and asset.
    pub key: AccountKey,
}

/// One line of the journal: an outcome, not a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Counts from 1 without gaps.
    pub id: u64,
    /// The command it is part of; the rows of a command follow each other.
    pub command: CommandId,
    /// Fingerprint of the command's body.
    pub fingerprint: u64,
    /// The command's time.
    pub at: Timestamp,
    /// Number of the command's [`crate::Reason`].
    pub reason: u16,
    /// The command's reference.
    pub reference: Uuid,
    /// What happened.
    pub kind: RowKind,
    /// The account debited or held; 0 for none.
    pub debit: u32,
    /// The account credited; 0 for none.
    pub credit: u32,
    /// The asset; 0 in a refusal.
    pub asset: u32,
    /// How much; 0 in a refusal.
    pub amount: u128,
    /// The hold concerned.
    pub hold: Option<HoldId>,
    /// Of a reservation or an order, from when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// Number of the [`crate::Refusal`]; 0 for none.
    pub refusal: u16,
    /// Whether it is the last row of its command.
    pub last: bool,
    /// What it has about a market or an order.
    pub order: Option<OrderPart>,
    /// What a rare kind has beside.
    pub details: Option<Box<Details>>,
}

/// What commands have added to the books and is to be written as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Accounts opened, in the order of their numbers.
    pub accounts: Vec<AccountRow>,
    /// Rows, in the order of their ids.
    pub rows: Vec<JournalRow>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        // An account is only opened by a row.
        self.rows.is_empty()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.accounts.clear();
        self.rows.clear();
    }
}
