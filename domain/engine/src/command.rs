use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, AccountKey};
use ferrex_money::{Amount, AssetId};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AmendOrder, FeeRate, MarketId, MarketSpec, MarketState, OrderRef, PlaceOrder};

/// An order to the engine: all of it happens, or none.
///
/// Everything that is not a function of the engine's state comes in the command, the time included, so that a replay
/// gives the same state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Made by the caller, a UUIDv7, good for ever: the idempotency key. Same id and body: the first answer. Same id
    /// and another body: refused.
    pub id: CommandId,
    /// When the caller made it. Not part of the body that is compared when an id comes again.
    pub at: Timestamp,
    /// Why the money moves, for statements and the audit.
    pub reason: Reason,
    /// The thing it is about (a deposit, a withdrawal, a transfer), by its UUID.
    pub reference: Uuid,
    /// What shall happen.
    pub action: Action,
}

impl Command {
    /// Its steps, if it is a transfer.
    pub(crate) fn steps(&self) -> &[Step] {
        match &self.action {
            Action::Transfer(steps) => steps,
            _ => &[],
        }
    }
}

/// What shall happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Steps that happen together, in this order.
    Transfer(Vec<Step>),
    /// Creates a market, halted.
    CreateMarket {
        /// Its number.
        market: MarketId,
        /// What it trades.
        spec: MarketSpec,
    },
    /// Changes what may happen in a market. Opening it first trades, at one price, the orders that reach each other.
    SetMarketState {
        /// The market.
        market: MarketId,
        /// Its new state.
        state: MarketState,
    },
    /// Sets the fees of a market by tier, from tier 0 on; a person above the last tier has the last.
    SetFees {
        /// The market.
        market: MarketId,
        /// By tier; none charge nothing.
        rates: Vec<FeeRate>,
    },
    /// Sets a person's fee tier in all markets. Who has traded how much in 30 days is counted outside, from the journal's
    /// trades, since volumes in different assets need prices to be compared.
    SetFeeTier {
        /// The person.
        owner: Uuid,
        /// From 0 on, where everybody begins.
        tier: u8,
    },
    /// Places an order.
    PlaceOrder(PlaceOrder),
    /// Changes a resting order. Less quantity at the same price keeps its place in the queue.
    AmendOrder(AmendOrder),
    /// Cancels an order.
    CancelOrder {
        /// The market.
        market: MarketId,
        /// The person whose order it is.
        owner: Uuid,
        /// The order.
        order: OrderRef,
    },
    /// Cancels all orders of a person in a market.
    CancelAll {
        /// The market.
        market: MarketId,
        /// The person.
        owner: Uuid,
    },
    /// Ends orders whose time is over, 1,000 at most, and goes on with a cascade of stops that was cut.
    ExpireOrders {
        /// The market.
        market: MarketId,
        /// The time up to which they end.
        now: Timestamp,
    },
}

/// One movement or one change of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Moves an amount between two accounts at once.
    Move {
        /// The account that is debited.
        debit: Account,
        /// The account that is credited.
        credit: Account,
        /// The asset of both.
        asset: AssetId,
        /// How much; not zero.
        amount: Amount,
    },
    /// Sets an amount of an account aside: a pending transfer out of it.
    Reserve {
        /// Made by the caller; names the hold for ever.
        hold: HoldId,
        /// The credit-normal account that is going to be debited.
        debit: Account,
        /// The asset.
        asset: AssetId,
        /// How much; not zero.
        amount: Amount,
        /// From when on [`Step::Expire`] may release it; `None` for never.
        expires_at: Option<Timestamp>,
    },
    /// Moves a held amount, all or part of what is left of the hold, to an account.
    Post {
        /// The hold.
        hold: HoldId,
        /// The account that is credited.
        credit: Account,
        /// How much; not zero, not more than is left.
        amount: Amount,
        /// What becomes of the part that is left.
        rest: Rest,
    },
    /// Releases what is left of a hold and closes it.
    Void {
        /// The hold.
        hold: HoldId,
    },
    /// As [`Step::Void`], by time: refused before the hold's `expires_at`.
    Expire {
        /// The hold.
        hold: HoldId,
    },
}

impl Step {
    /// The hold it concerns.
    pub const fn hold(&self) -> Option<HoldId> {
        match self {
            Self::Move { .. } => None,
            Self::Reserve { hold, .. }
            | Self::Post { hold, .. }
            | Self::Void { hold }
            | Self::Expire { hold } => Some(*hold),
        }
    }

    /// The accounts that it names with their asset.
    pub(crate) fn keys(&self) -> impl Iterator<Item = AccountKey> {
        let (debit, credit) = match self {
            Self::Move {
                debit, credit, asset, ..
            } => (Some((*debit, *asset)), Some((*credit, *asset))),
            Self::Reserve { debit, asset, .. } => (Some((*debit, *asset)), None),
            Self::Post { .. } | Self::Void { .. } | Self::Expire { .. } => (None, None),
        };
        let key = |(account, asset)| AccountKey { account, asset };
        debit.into_iter().chain(credit).map(key)
    }
}

/// What becomes of the part of a hold that a post leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// It stays held; the hold closes by itself when nothing is left.
    Keep,
    /// It is released and the hold is closed.
    Release,
}

/// Why money moves. The numbers are stored and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u16)]
pub enum Reason {
    /// A deposit from a chain was credited.
    Deposit = 1,
    /// A credited deposit was taken back after a reorganisation.
    DepositReversal = 2,
    /// One person paid another.
    Transfer = 3,
    /// Money was set aside for a withdrawal.
    WithdrawalHold = 4,
    /// A withdrawal was paid out.
    WithdrawalSettlement = 5,
    /// A withdrawal was given up and its money released.
    WithdrawalRelease = 6,
    /// The operator put own money into a wallet of the house.
    HouseFunding = 7,
    /// A hold ran out.
    HoldExpiry = 8,
    /// A chain's charge for a transaction that moved nothing.
    NetworkFee = 9,
    /// Money that arrived for nobody we know.
    Unclaimed = 10,
    /// A withdrawal to one of our own addresses, paid inside the house.
    InternalWithdrawal = 11,
    /// A person trades: orders, their amendments and their ends.
    Trading = 12,
    /// The operator creates or changes a market, its fees or a person's tier.
    MarketAdmin = 13,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 13] = [
        Self::Deposit,
        Self::DepositReversal,
        Self::Transfer,
        Self::WithdrawalHold,
        Self::WithdrawalSettlement,
        Self::WithdrawalRelease,
        Self::HouseFunding,
        Self::HoldExpiry,
        Self::NetworkFee,
        Self::Unclaimed,
        Self::InternalWithdrawal,
        Self::Trading,
        Self::MarketAdmin,
    ];

    /// The stored number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The reason of a stored number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}
