use std::collections::BTreeSet;

use ferrex_matching::{Event, Sizes};
use ferrex_planted::planted;
use foldhash::HashMap;
use uuid::Uuid;

use super::market::Market;
use super::{FeeRate, MarketId};
use crate::Refusal;

/// All markets of a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trading {
    /// By number.
    markets: Vec<Option<Box<Market>>>,
    /// Fee tiers above 0.
    pub(crate) tiers: HashMap<Uuid, u8>,
    /// Whose tier has changed since the last drain.
    pub(crate) tiers_changed: BTreeSet<Uuid>,
    pub(crate) sizes: Sizes,
    /// Empty between commands; kept for its memory.
    pub(crate) events: Vec<Event>,
}

impl Trading {
    pub(crate) fn find(&self, id: MarketId) -> Option<&Market> {
        self.markets.get(id.0 as usize)?.as_deref()
    }

    pub(crate) fn find_mut(&mut self, id: MarketId) -> Option<&mut Market> {
        self.markets.get_mut(id.0 as usize)?.as_deref_mut()
    }

    pub(crate) fn get_mut(&mut self, id: MarketId) -> Result<&mut Market, Refusal> {
        self.find_mut(id).ok_or(Refusal::MarketUnknown)
    }

    /// A market and the buffer of events.
    pub(crate) fn parts(&mut self, id: MarketId) -> Option<(&mut Market, &mut Vec<Event>)> {
        let market = self.markets.get_mut(id.0 as usize)?.as_deref_mut()?;
        Some((market, &mut self.events))
    }

    pub(crate) fn insert(&mut self, market: Market) {
        let place = market.id.0 as usize;
        if self.markets.len() <= place {
            self.markets.resize(place + 1, None);
        }
        self.markets[place] = Some(Box::new(market));
    }

    pub(crate) fn markets(&self) -> impl Iterator<Item = &Market> {
        self.markets.iter().filter_map(Option::as_deref)
    }

    pub(crate) fn markets_mut(&mut self) -> impl Iterator<Item = &mut Market> {
        self.markets.iter_mut().filter_map(Option::as_deref_mut)
    }

    pub(crate) fn tier(&self, owner: Uuid) -> u8 {
        self.tiers.get(&owner).copied().unwrap_or(0)
    }

    pub(crate) fn set_tier(&mut self, owner: Uuid, tier: u8) {
        if tier == 0 {
            self.tiers.remove(&owner);
        } else {
            self.tiers.insert(owner, tier);
        }
        self.tiers_changed.insert(owner);
        for market in self.markets_mut() {
            if let Some(seat) = market.seat_of.get(&owner) {
                market.seats[*seat as usize].tier = tier;
            }
        }
    }
}

/// The rate of a tier; a tier beyond the table has the last one, an empty table charges nothing.
pub(crate) fn rate(table: &[FeeRate], tier: u8) -> FeeRate {
    let free = FeeRate {
        maker_ppm: 0,
        taker_ppm: 0,
    };
    table
        .get(usize::from(tier))
        .or(table.last())
        .copied()
        .unwrap_or(free)
}

/// So many millionths of an amount, rounded up to a whole unit. Not more than the amount, since a rate is at most one.
pub(crate) fn fee(amount: u128, ppm: u32) -> u128 {
    if planted!("orders.fee_rounded_down") {
        return amount * u128::from(ppm) / 1_000_000;
    }
    // No overflow: a market is only created when a million times its largest trade fits.
    (amount * u128::from(ppm)).div_ceil(1_000_000)
}
