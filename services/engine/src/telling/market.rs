//! Rows about markets and orders as the event that tells them.

use ferrex_contracts::engine::{
    FeeRate, MarketChange, MarketChanged, MarketState, OrderEnd, Side, Tif, TradeSide,
};
use ferrex_engine_core::{self as core, Details, JournalRow, OrderPart, RowKind};
use ferrex_ledger::Owner;
use ferrex_money::Amount;
use uuid::Uuid;

use crate::Error;

/// What a command changed in a market; nothing when it has no row about one. `owner` answers whose account a number is.
pub(crate) fn changes(
    rows: &[JournalRow],
    owner: impl Fn(u32, u64) -> Result<Owner, Error>,
) -> Result<Option<MarketChanged>, Error> {
    let person = |account, row| {
        Ok::<_, Error>(match owner(account, row)? {
            Owner::User(user) => Some(user),
            Owner::House => None,
        })
    };
    let mut changes = Vec::new();
    let mut market = 0;
    // The legs of a trade are two rows, quote asset first.
    let mut bought: Option<(&JournalRow, &OrderPart)> = None;
    for row in rows {
        let Some(part) = row.order.as_ref().filter(|_| row.kind != RowKind::TierSet) else {
            continue;
        };
        market = part.market.0;
        let missing = || Error::Stored {
            what: "a row about a market",
            row: row.id.to_string(),
        };
        let order = part.order.0;
        let held = Amount::new(row.amount);
        changes.push(match row.kind {
            RowKind::Trade => match bought.take() {
                None => {
                    bought = Some((row, part));
                    continue;
                }
                Some((first, quote)) => MarketChange::Trade {
                    price: part.price,
                    lots: part.lots,
                    taker: taker(quote, part),
                    buy: side(first, quote, person(first.debit, first.id)?, part.fee),
                    sell: side(row, part, person(row.debit, row.id)?, quote.fee),
                },
            },
            RowKind::OrderPlaced => MarketChange::Placed {
                order,
                owner: person(row.debit, row.id)?.ok_or_else(missing)?,
                client: part.client,
                side: match part.flags.side() {
                    core::Side::Buy => Side::Buy,
                    core::Side::Sell => Side::Sell,
                },
                price: part.price,
                lots: part.lots,
                left: part.left,
                stop: part.stop,
                tif: part.flags.tif().map(tif).ok_or_else(missing)?,
                by_market: part.flags.is_market(),
                by_value: part.flags.is_by_value(),
                expires_at: row.expires_at,
                held,
                end: part.flags.end().map(end),
            },
            RowKind::OrderSet => MarketChange::Set {
                order,
                price: part.price,
                lots: part.lots,
                left: part.left,
                held,
            },
            RowKind::OrderLifted => MarketChange::Lifted {
                order,
                triggered: part.flags.is_triggered(),
            },
            RowKind::OrderEnded => MarketChange::Ended {
                order,
                why: part.flags.end().map(end).ok_or_else(missing)?,
            },
            RowKind::MarketCreated => match row.details.as_deref() {
                Some(Details::Market(spec)) => MarketChange::Created {
                    base: spec.base,
                    quote: spec.quote,
                    per: spec.per,
                    tick: spec.tick,
                    lot: spec.lot,
                },
                _ => return Err(missing()),
            },
            RowKind::MarketSet => MarketChange::State {
                state: part.flags.market_state().map(state).ok_or_else(missing)?,
            },
            RowKind::FeesSet => match row.details.as_deref() {
                Some(Details::Fees(rates)) => MarketChange::Fees {
                    rates: rates.iter().copied().map(rate).collect(),
                },
                _ => return Err(missing()),
            },
            _ => continue,
        });
    }
    let Some(last) = rows.last().filter(|_| !changes.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(MarketChanged {
        sequence: last.id,
        command: last.command,
        at: last.at,
        market,
        changes,
    }))
}

/// A leg pays and is charged on what the other leg brings.
fn side(row: &JournalRow, part: &OrderPart, person: Option<Uuid>, fee: u128) -> TradeSide {
    TradeSide {
        order: part.order.0,
        person,
        pays: Amount::new(row.amount),
        fee: Amount::new(fee),
        left: part.left,
    }
}

/// In an auction both rested.
fn taker(buy: &OrderPart, sell: &OrderPart) -> Option<Side> {
    match (buy.flags.is_maker(), sell.flags.is_maker()) {
        (false, _) => Some(Side::Buy),
        (_, false) => Some(Side::Sell),
        _ => None,
    }
}

const fn rate(rate: core::FeeRate) -> FeeRate {
    FeeRate {
        maker_ppm: rate.maker_ppm,
        taker_ppm: rate.taker_ppm,
    }
}

const fn state(state: core::MarketState) -> MarketState {
    match state {
        core::MarketState::Open => MarketState::Open,
        core::MarketState::CancelOnly => MarketState::CancelOnly,
        core::MarketState::Halted => MarketState::Halted,
        core::MarketState::Auction => MarketState::Auction,
    }
}

const fn tif(tif: core::Tif) -> Tif {
    match tif {
        core::Tif::Gtc => Tif::Gtc,
        core::Tif::Ioc => Tif::Ioc,
        core::Tif::Fok => Tif::Fok,
        core::Tif::PostOnly => Tif::PostOnly,
    }
}

const fn end(why: core::End) -> OrderEnd {
    match why {
        core::End::Filled => OrderEnd::Filled,
        core::End::Cancelled => OrderEnd::Cancelled,
        core::End::Expired => OrderEnd::Expired,
        core::End::Unfilled => OrderEnd::Unfilled,
        core::End::SelfTrade => OrderEnd::SelfTrade,
    }
}
