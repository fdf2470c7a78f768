//! What the engine says: its journal, one event a command; what happened in its markets; and what each audit of it found.

use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::Account;
use ferrex_money::{Amount, AssetId};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::payment::Direction;

messages! {
    /// A command was applied and committed.
    JournalCommitted {
        /// Journal id of the command's last row.
        sequence: u64,
        /// The command.
        command: CommandId,
        /// Number of the reason, as `ferrex_engine_core::Reason` lists them.
        reason: u16,
        /// What it is about.
        reference: Uuid,
        /// The command's time.
        at: Timestamp,
        /// What it moved: each movement as its debit and then its credit.
        entries: Vec<Entry>,
        /// What it did to holds.
        holds: Vec<HoldChange>,
    }
    /// One side of one movement.
    Entry {
        /// The account.
        account: Account,
        /// The asset.
        asset: AssetId,
        /// Which side.
        direction: Direction,
        /// How much.
        amount: Amount,
    }
    /// A change of a hold.
    HoldChange {
        /// Which.
        hold: HoldId,
        /// On which account.
        account: Account,
        /// The asset.
        asset: AssetId,
        /// What happened.
        kind: HoldChangeKind,
        /// How much was reserved, or left the hold.
        amount: Amount,
    }
}

events! { "engine.journal.v1": JournalCommitted = "engine.journal.committed" }

messages! {
    /// A command changed a market or orders in it. Keyed by the market, in the order of the journal.
    ///
    /// Prices are counted in ticks and quantities in lots of the market, as [`MarketChange::Created`] says them; amounts of
    /// money are in smallest units.
    MarketChanged {
        /// Journal id of the command's last row.
        sequence: u64,
        /// The command.
        command: CommandId,
        /// The command's time.
        at: Timestamp,
        /// Number of the market.
        market: u32,
        /// What happened, in this order.
        changes: Vec<MarketChange>,
    }
    /// Fees of one tier, in millionths of what is received.
    FeeRate {
        /// Of an order that rested.
        maker_ppm: u32,
        /// Of an order that came.
        taker_ppm: u32,
    }
}

events! { "engine.market.v1": MarketChanged = "engine.market.changed" }

/// One thing that happened in a market. What a later version adds is read as [`MarketChange::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MarketChange {
    /// The market was made, halted. Amounts in smallest units of base (`per`, `lot`, `quantity_…`) or quote asset.
    Created {
        /// What is bought and sold.
        base: AssetId,
        /// What it is paid with.
        quote: AssetId,
        /// The quantity that a price is for.
        per: Amount,
        /// The step of prices.
        tick: Amount,
        /// The step of quantities.
        lot: Amount,
    },
    /// What may happen in it changed.
    State {
        /// The new state.
        state: MarketState,
    },
    /// Its fees changed.
    Fees {
        /// By tier, from 0 on.
        rates: Vec<FeeRate>,
    },
    /// Both legs of a trade. The order that came is named by a later [`MarketChange::Placed`] of the same command.
    Trade {
        /// In ticks.
        price: u64,
        /// In lots.
        lots: u64,
        /// Side of the order that came; none in an auction.
        taker: Option<Side>,
        /// The buyer's part: pays quote asset, receives base asset.
        buy: TradeSide,
        /// The seller's part: pays base asset, receives quote asset.
        sell: TradeSide,
    },
    /// An order was taken; its trades stand before.
    Placed {
        /// Its number in the market.
        order: u64,
        /// Whose.
        owner: Uuid,
        /// Its caller's name for it.
        client: Option<Uuid>,
        /// Which way.
        side: Side,
        /// Its limit or protection price in ticks.
        price: u64,
        /// All of it in lots; of a buy by value what was bought.
        lots: u64,
        /// What has not traded, in lots.
        left: u64,
        /// Price in ticks that triggers it; 0 for none.
        stop: u64,
        /// What becomes of what does not trade at once.
        tif: Tif,
        /// Whether it never rests.
        by_market: bool,
        /// Whether it buys for an amount of the quote asset.
        by_value: bool,
        /// From when on it may expire.
        expires_at: Option<Timestamp>,
        /// What it has set aside of what it pays with.
        held: Amount,
        /// Why it never was open, if it was not.
        end: Option<OrderEnd>,
    },
    /// An open order has other values.
    Set {
        /// Its number in the market.
        order: u64,
        /// Its limit in ticks.
        price: u64,
        /// All of it in lots, what has traded included.
        lots: u64,
        /// What has not traded, in lots.
        left: u64,
        /// What it has set aside.
        held: Amount,
    },
    /// An order left the book to be matched anew; trades, and its setting or end, follow.
    Lifted {
        /// Its number in the market.
        order: u64,
        /// Whether its stop price was reached; else it was amended.
        triggered: bool,
    },
    /// An order is no longer open. One that trades have filled to the last unit it held ends without this.
    Ended {
        /// Its number in the market.
        order: u64,
        /// Why.
        why: OrderEnd,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// One person's part of a trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeSide {
    /// Number of the order.
    pub order: u64,
    /// Whose wallet pays.
    pub person: Option<Uuid>,
    /// What is paid, in smallest units.
    pub pays: Amount,
    /// What of the other part's payment goes on to the fees account.
    pub fee: Amount,
    /// What the order has left, in lots.
    pub left: u64,
}

/// Which way an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Takes the base asset.
    Buy,
    /// Gives the base asset.
    Sell,
}

/// What becomes of the part of an order that does not trade at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tif {
    /// It rests until it is filled, cancelled or expired.
    Gtc,
    /// It is cancelled.
    Ioc,
    /// All or nothing, at once.
    Fok,
    /// All of it rests, or the order is refused.
    PostOnly,
}

/// What may happen in a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketState {
    /// Everything.
    Open,
    /// Orders may be cancelled and expire.
    CancelOnly,
    /// Orders may expire.
    Halted,
    /// Limit orders gather; opening trades them at one price.
    Auction,
}

/// Why an order is no longer open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderEnd {
    /// It has traded.
    Filled,
    /// It was cancelled.
    Cancelled,
    /// Its time was over.
    Expired,
    /// It may not rest, and nothing more was there to trade with.
    Unfilled,
    /// It met an order of its own person.
    SelfTrade,
}

messages! {
    /// The ledger was audited. What an audit finds stands until a later one does not find it any more.
    LedgerAudited {
        /// When it was asked for; of two audits the later one counts.
        at: Timestamp,
        /// How many findings there are.
        findings: u64,
        /// The assets that findings name.
        assets: Vec<AssetId>,
        /// Whether a finding names no asset, so that it concerns all of them.
        concerns_all: bool,
    }
}

events! { "engine.audit.v1": LedgerAudited = "engine.ledger.audited" }

/// What happened to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldChangeKind {
    /// It was made.
    Reserved,
    /// Part or all of it was moved.
    Posted,
    /// What was left was released.
    Voided,
    /// What was left was released by time.
    Expired,
}
