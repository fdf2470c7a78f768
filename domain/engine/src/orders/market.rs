use ferrex_ledger::{Account, AccountId, AccountKey, Ledger, Purpose};
use ferrex_matching::{Book, Lots, OrderNo, Side, Sizes, Ticks};
use ferrex_money::AssetId;
use foldhash::{HashMap, HashMapExt as _};
use uuid::Uuid;

use super::{FeeRate, MarketId, MarketSpec, MarketState};
use crate::Refusal;

/// A person in a market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) owner: Uuid,
    /// Wallet of the base asset; 0 while there is none.
    pub(crate) base: AccountId,
    /// Wallet of the quote asset; 0 while there is none.
    pub(crate) quote: AccountId,
    pub(crate) tier: u8,
}

/// What the engine keeps of an open order beside the book, by its slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extra {
    pub(crate) held: u128,
    pub(crate) client: Option<Uuid>,
}

/// One market: its book, its people, and what their orders have set aside.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) id: MarketId,
    pub(crate) spec: MarketSpec,
    pub(crate) state: MarketState,
    /// What one lot costs at one tick, in smallest units of the quote asset.
    pub(crate) unit: u128,
    pub(crate) bounds: Bounds,
    pub(crate) fee_base: AccountId,
    pub(crate) fee_quote: AccountId,
    pub(crate) fees: Vec<FeeRate>,
    pub(crate) book: Book,
    pub(crate) seats: Vec<Seat>,
    pub(crate) seat_of: HashMap<Uuid, u32>,
    pub(crate) extras: Vec<Extra>,
    /// Open orders by seat and the caller's name.
    pub(crate) clients: HashMap<(u32, Uuid), u64>,
    /// In a replay, an order that an auction has filled and that is still to give back what it paid less than its limit.
    pub(crate) filled: Option<(OrderNo, u32)>,
    /// Whether state, fees or prices have changed since the last drain.
    pub(crate) changed: bool,
}

/// The bounds of a market in ticks and lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) price_max: Ticks,
    pub(crate) lots_min: Lots,
    pub(crate) lots_max: Lots,
    /// The largest value of an order, in ticks × lots.
    pub(crate) value_max: u128,
    /// 0 for none.
    pub(crate) reference: Ticks,
}

/// Millionths in one.
pub(crate) const MILLION: u128 = 1_000_000;

/// `amount` in whole `step`s; `None` when it is not a multiple, or too many for 64 bits.
pub(crate) fn steps(amount: u128, step: u128) -> Option<u64> {
    match (u64::try_from(amount), u64::try_from(step)) {
        // The common case, by a much faster division.
        (Ok(amount), Ok(step)) => amount.is_multiple_of(step).then_some(amount / step),
        _ if amount.is_multiple_of(step) => u64::try_from(amount / step).ok(),
        _ => None,
    }
}

impl MarketSpec {
    /// What one lot costs at one tick, and the bounds in ticks and lots.
    pub(crate) fn resolve(&self) -> Result<(u128, Bounds), Refusal> {
        let invalid = Refusal::MarketSpec;
        let (per, tick, lot) = (self.per.units(), self.tick.units(), self.lot.units());
        if self.base == self.quote || per == 0 || tick == 0 || lot == 0 || self.open_orders_max == 0 {
            return Err(invalid);
        }
        for asset in [self.base, self.quote] {
            i32::try_from(asset.0).map_err(|_| Refusal::AssetOutOfRange)?;
        }
        let product = tick.checked_mul(lot).ok_or(invalid)?;
        if !product.is_multiple_of(per) {
            return Err(Refusal::TickOfLot);
        }
        let unit = product / per;
        // Stored in signed columns.
        let small = |steps: Option<u64>| steps.filter(|steps| i64::try_from(*steps).is_ok()).ok_or(invalid);
        let price_max = small(steps(self.price_max.units(), tick))?;
        let lots_min = small(steps(self.quantity_min.units(), lot))?;
        let lots_max = small(steps(self.quantity_max.units(), lot))?;
        let reference = self
            .reference_price
            .map_or(Some(0), |price| steps(price.units(), tick));
        let reference = small(reference)?;
        let value_max = u128::from(price_max) * u128::from(lots_max);
        let fits = |amount: Option<u128>| amount.and_then(|amount| amount.checked_mul(MILLION)).is_some();
        let valid = lots_min > 0
            && lots_min <= lots_max
            && price_max > 0
            && reference <= price_max
            // A price below the band must exist.
            && u128::from(self.band_ppm) < MILLION
            && fits(value_max.checked_mul(unit))
            && fits(u128::from(lots_max).checked_mul(lot));
        let bounds = Bounds {
            price_max,
            lots_min,
            lots_max,
            value_max,
            reference,
        };
        if valid { Ok((unit, bounds)) } else { Err(invalid) }
    }
}

impl Market {
    pub(crate) fn new(
        id: MarketId,
        spec: MarketSpec,
        (unit, bounds): (u128, Bounds),
        fees: (AccountId, AccountId),
        sizes: Sizes,
    ) -> Self {
        Self {
            id,
            spec,
            state: MarketState::Halted,
            unit,
            bounds,
            fee_base: fees.0,
            fee_quote: fees.1,
            fees: Vec::new(),
            book: Book::new(sizes),
            seats: Vec::new(),
            seat_of: HashMap::new(),
            extras: Vec::new(),
            clients: HashMap::new(),
            filled: None,
            changed: true,
        }
    }

    /// The key of the house's fees account of an asset.
    pub(crate) const fn fees_key(asset: AssetId) -> AccountKey {
        AccountKey {
            account: Account::house(Purpose::Fees),
            asset,
        }
    }

    /// The seat of a person, taken if they have none. It is not part of the state: it only numbers people.
    pub(crate) fn sit(&mut self, owner: Uuid, tier: u8) -> u32 {
        if let Some(seat) = self.seat_of.get(&owner) {
            return *seat;
        }
        let seat = u32::try_from(self.seats.len()).expect("fewer people than accounts, which have 32 bits");
        self.seats.push(Seat {
            owner,
            base: AccountId(0),
            quote: AccountId(0),
            tier,
        });
        self.seat_of.insert(owner, seat);
        seat
    }

    /// Looks the wallets of a seat up that may have been opened since.
    pub(crate) fn refresh(&mut self, seat: u32, ledger: &Ledger) {
        let seat = &mut self.seats[seat as usize];
        let find = |asset| {
            ledger.find_account(&AccountKey {
                account: Account::wallet(seat.owner),
                asset,
            })
        };
        if seat.base.0 == 0 {
            seat.base = find(self.spec.base).unwrap_or(AccountId(0));
        }
        if seat.quote.0 == 0 {
            seat.quote = find(self.spec.quote).unwrap_or(AccountId(0));
        }
    }

    /// Opens the wallets that a seat has not.
    pub(crate) fn furnish(&mut self, seat: u32, ledger: &mut Ledger) {
        let seat = &mut self.seats[seat as usize];
        let mut open = |asset| {
            ledger.open_account(AccountKey {
                account: Account::wallet(seat.owner),
                asset,
            })
        };
        if seat.base.0 == 0 {
            seat.base = open(self.spec.base);
        }
        if seat.quote.0 == 0 {
            seat.quote = open(self.spec.quote);
        }
    }

    /// The wallet that an order of this side pays from.
    pub(crate) fn payer(&self, seat: u32, side: Side) -> AccountId {
        let seat = &self.seats[seat as usize];
        match side {
            Side::Buy => seat.quote,
            Side::Sell => seat.base,
        }
    }

    /// What an order sets aside: its worst case.
    pub(crate) fn hold_of(&self, side: Side, limit: Ticks, left: Lots, value: u128) -> u128 {
        // No overflow: `resolve` has bounded each factor.
        match side {
            Side::Buy if value > 0 => value * self.unit,
            Side::Buy => u128::from(limit) * u128::from(left) * self.unit,
            Side::Sell => u128::from(left) * self.spec.lot.units(),
        }
    }

    pub(crate) fn extra_mut(&mut self, slot: u32) -> &mut Extra {
        let place = slot as usize;
        if self.extras.len() <= place {
            self.extras.resize(place + 1, Extra::default());
        }
        &mut self.extras[place]
    }

    pub(crate) fn extra(&self, slot: u32) -> Extra {
        self.extras.get(slot as usize).copied().unwrap_or_default()
    }

    /// The price that bands and auctions look to; 0 for none.
    pub(crate) fn reference(&self) -> Ticks {
        match self.book.last_price() {
            0 => self.bounds.reference,
            last => last,
        }
    }

    /// The lowest and the highest price around another.
    pub(crate) fn band(&self, around: Ticks) -> (Ticks, Ticks) {
        if self.spec.band_ppm == 0 || around == 0 {
            return (1, self.bounds.price_max);
        }
        let (around, ppm) = (u128::from(around), u128::from(self.spec.band_ppm));
        let low = (around * (MILLION - ppm)).div_ceil(MILLION);
        let high = around * (MILLION + ppm) / MILLION;
        // Both are below twice a price of at most 63 bits.
        let ticks = |price: u128| Ticks::try_from(price).unwrap_or(Ticks::MAX);
        (ticks(low).max(1), ticks(high).min(self.bounds.price_max))
    }

    /// The order of a person that a reference names.
    pub(crate) fn find(&self, owner: Uuid, order: super::OrderRef) -> Option<u32> {
        let seat = *self.seat_of.get(&owner)?;
        let number = match order {
            super::OrderRef::Number(number) => number,
            super::OrderRef::Client(client) => *self.clients.get(&(seat, client))?,
        };
        let slot = self.book.find(OrderNo(number))?;
        (self.book.view(slot).owner == seat).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn an_amount_of_any_size_is_in_whole_steps_or_none() {
        for big in [1, 1 << 62, 1 << 70, 1 << 120] {
            assert_eq!(steps(12 * big, 4 * big), Some(3), "{big}");
            assert_eq!(steps(12 * big + 1, 4 * big), None, "{big}");
            assert_eq!(steps(0, 4 * big), Some(0), "{big}");
        }
        assert_eq!(steps(u128::from(u64::MAX) * 5, 5), Some(u64::MAX));
        assert_eq!(
            steps((u128::from(u64::MAX) + 1) * 5, 5),
            None,
            "more than 64 bits hold"
        );
        assert_eq!(steps(u128::from(u64::MAX) * 5 + 1, 5), None);
    }
}
