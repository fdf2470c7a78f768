//! The rules of the books as the audit knows them, written down a second time on purpose.

/// Which side increases an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Debit,
    Credit,
}

pub(crate) const WALLET: i64 = 1;
pub(crate) const DEBT: i64 = 2;
pub(crate) const DEPOSIT_ADDRESSES: i64 = 10;
pub(crate) const HOT_WALLET: i64 = 11;
pub(crate) const COLD_WALLET: i64 = 12;
pub(crate) const NETWORK_FEES: i64 = 13;
pub(crate) const CAPITAL: i64 = 20;
pub(crate) const FEES: i64 = 21;
pub(crate) const SUSPENSE: i64 = 22;

pub(crate) const MOVE: i64 = 1;
pub(crate) const RESERVE: i64 = 2;
pub(crate) const POST: i64 = 3;
pub(crate) const VOID: i64 = 4;
pub(crate) const EXPIRE: i64 = 5;
pub(crate) const REFUSED: i64 = 6;
pub(crate) const TRADE: i64 = 7;
pub(crate) const ORDER_PLACED: i64 = 8;
pub(crate) const LIFTED: i64 = 9;
pub(crate) const ORDER_SET: i64 = 10;
pub(crate) const ORDER_ENDED: i64 = 11;
pub(crate) const MARKET_CREATED: i64 = 12;
pub(crate) const TIER_SET: i64 = 15;

const DEPOSIT: i64 = 1;
const DEPOSIT_REVERSAL: i64 = 2;
const TRANSFER: i64 = 3;
const WITHDRAWAL_HOLD: i64 = 4;
const WITHDRAWAL_SETTLEMENT: i64 = 5;
const WITHDRAWAL_RELEASE: i64 = 6;
const HOUSE_FUNDING: i64 = 7;
const HOLD_EXPIRY: i64 = 8;
const NETWORK_FEE: i64 = 9;
const UNCLAIMED: i64 = 10;
const INTERNAL_WITHDRAWAL: i64 = 11;
const TRADING: i64 = 12;
const MARKET_ADMIN: i64 = 13;

/// The side that increases accounts of a purpose; `None` for a purpose that the audit does not know.
pub(crate) const fn side(purpose: i64) -> Option<Side> {
    match purpose {
        WALLET | CAPITAL | FEES | SUSPENSE => Some(Side::Credit),
        DEBT | DEPOSIT_ADDRESSES | HOT_WALLET | COLD_WALLET | NETWORK_FEES => Some(Side::Debit),
        _ => None,
    }
}

/// Whether rows of a kind are about a market, an order or a tier.
pub(crate) const fn is_trading(kind: i64) -> bool {
    TRADE <= kind && kind <= TIER_SET
}

/// Whether accounts of a purpose belong to people; the others belong to the house.
pub(crate) const fn is_personal(purpose: i64) -> bool {
    matches!(purpose, WALLET | DEBT)
}

/// Whether money may move for this reason from the credit of one purpose to another, given as (debited, credited).
///
/// What a person has (a credited wallet) comes from a chain's proof (deposit addresses), from another person, or from
/// money that had arrived and was nobody's. Everything else lowers liabilities or moves the house's own.
pub(crate) const fn may_move(reason: i64, debited: i64, credited: i64) -> bool {
    match reason {
        DEPOSIT => match debited {
            DEPOSIT_ADDRESSES | SUSPENSE => matches!(credited, WALLET | DEBT | SUSPENSE),
            // what the person owes is repaid out of it
            WALLET => matches!(credited, DEBT),
            _ => false,
        },
        DEPOSIT_REVERSAL => match debited {
            WALLET | DEBT | SUSPENSE => matches!(credited, DEPOSIT_ADDRESSES),
            CAPITAL => matches!(credited, HOT_WALLET | DEPOSIT_ADDRESSES),
            _ => false,
        },
        TRANSFER | INTERNAL_WITHDRAWAL => matches!(debited, WALLET) && matches!(credited, WALLET | FEES),
        WITHDRAWAL_SETTLEMENT => match debited {
            WALLET => matches!(credited, HOT_WALLET | FEES),
            NETWORK_FEES | FEES | CAPITAL => matches!(credited, HOT_WALLET),
            _ => false,
        },
        // a transaction that failed on its chain has cost its fee all the same
        WITHDRAWAL_RELEASE => matches!(debited, NETWORK_FEES) && matches!(credited, HOT_WALLET),
        HOUSE_FUNDING => match debited {
            HOT_WALLET | COLD_WALLET | DEPOSIT_ADDRESSES => {
                matches!(credited, CAPITAL | HOT_WALLET | COLD_WALLET | DEPOSIT_ADDRESSES)
            }
            CAPITAL => matches!(credited, HOT_WALLET | COLD_WALLET | DEPOSIT_ADDRESSES),
            _ => false,
        },
        // opening a market trades what has gathered in its auction
        TRADING | MARKET_ADMIN => matches!(debited, WALLET) && matches!(credited, WALLET),
        NETWORK_FEE => {
            matches!(debited, NETWORK_FEES | FEES | CAPITAL)
                && matches!(credited, HOT_WALLET | COLD_WALLET | DEPOSIT_ADDRESSES)
        }
        UNCLAIMED => match debited {
            DEPOSIT_ADDRESSES | HOT_WALLET => matches!(credited, SUSPENSE),
            SUSPENSE => matches!(credited, DEPOSIT_ADDRESSES | HOT_WALLET),
            _ => false,
        },
        _ => false,
    }
}

/// Whether rows of this kind occur for this reason.
pub(crate) const fn may_occur(reason: i64, kind: i64) -> bool {
    match reason {
        DEPOSIT | DEPOSIT_REVERSAL | HOUSE_FUNDING | NETWORK_FEE | UNCLAIMED => kind == MOVE,
        TRANSFER => matches!(kind, MOVE | RESERVE | POST | VOID),
        WITHDRAWAL_HOLD => kind == RESERVE,
        WITHDRAWAL_SETTLEMENT | INTERNAL_WITHDRAWAL => matches!(kind, MOVE | POST | VOID),
        WITHDRAWAL_RELEASE => matches!(kind, VOID | MOVE),
        HOLD_EXPIRY => kind == EXPIRE,
        TRADING => TRADE <= kind && kind <= ORDER_ENDED,
        MARKET_ADMIN => is_trading(kind) && kind != ORDER_PLACED,
        _ => false,
    }
}

/// The effect that a reason has on what it is about and that this may have once, until it is taken back.
///
/// A deposit of the house's own coins is booked as funding; a reversal takes back either.
pub(crate) const fn effect(reason: i64) -> Option<i64> {
    match reason {
        DEPOSIT | HOUSE_FUNDING => Some(DEPOSIT),
        TRANSFER | WITHDRAWAL_HOLD | WITHDRAWAL_RELEASE => Some(reason),
        WITHDRAWAL_SETTLEMENT | INTERNAL_WITHDRAWAL => Some(WITHDRAWAL_SETTLEMENT),
        _ => None,
    }
}

/// The effect that this reason takes back, so that it may happen again.
pub(crate) const fn takes_back(reason: i64) -> Option<i64> {
    match reason {
        DEPOSIT_REVERSAL => Some(DEPOSIT),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
