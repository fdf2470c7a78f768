//! A market as a value, and the check of what staff enter.

use ferrex_contracts::engine::{FeeRate as Rate, MarketState};
use ferrex_contracts::payment::{MarketTerms, MarketView};
use ferrex_engine_core::{self as core, FeeRate, MarketId, MarketSpec};
use ferrex_money::{Amount, Decimals};
use uuid::Uuid;

use super::Error;
use crate::registry::Asset;

const MILLION: u32 = 1_000_000;
const OPEN_ORDERS_MAX: u32 = 10_000;
/// The most fee tiers.
pub const TIERS_MAX: u8 = 64;

/// A market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Market {
    /// Its number.
    pub id: MarketId,
    /// Its symbol, such as `ETH-USDT`.
    pub symbol: String,
    /// Symbol of the base asset.
    pub base_symbol: String,
    /// Decimal places of the base asset.
    pub base_decimals: Decimals,
    /// Symbol of the quote asset.
    pub quote_symbol: String,
    /// Decimal places of the quote asset.
    pub quote_decimals: Decimals,
    /// What it trades, and within which bounds.
    pub terms: MarketTerms,
    /// What the ids of its first commands follow from.
    pub request: Uuid,
    /// As the engine told; none until it has made the market.
    pub state: Option<MarketState>,
    /// Fees by tier, from 0 on; those of the terms until the engine has told.
    pub fees: Vec<Rate>,
    /// Price of the last trade.
    pub last_price: Option<Amount>,
}

impl Market {
    /// As the engine takes it: a price is for one whole unit of the base asset.
    pub fn spec(&self) -> MarketSpec {
        let terms = &self.terms;
        MarketSpec {
            base: terms.base,
            quote: terms.quote,
            per: Amount::new(self.base_decimals.units_per_whole()),
            tick: terms.tick,
            lot: terms.lot,
            price_max: terms.price_max,
            quantity_min: terms.quantity_min,
            quantity_max: terms.quantity_max,
            value_min: terms.value_min,
            band_ppm: terms.band_ppm,
            open_orders_max: terms.open_orders_max,
            reference_price: terms.reference_price,
        }
    }

    /// What people of a tier pay; above the last tier it is the last one's.
    pub fn rate(&self, tier: u8) -> Rate {
        let rate = self.fees.get(usize::from(tier)).or(self.fees.last());
        rate.cloned().unwrap_or_else(|| first_rate(&self.terms))
    }

    /// An amount of the base asset as people read it.
    pub fn base(&self, amount: Amount) -> String {
        ferrex_money::format(amount, self.base_decimals)
    }

    /// An amount of the quote asset, or a price, as people read it.
    pub fn quote(&self, amount: Amount) -> String {
        ferrex_money::format(amount, self.quote_decimals)
    }

    /// As another service sees it.
    pub fn view(&self) -> MarketView {
        MarketView {
            market: self.id.0,
            symbol: self.symbol.clone(),
            terms: self.terms.clone(),
            state: self.state,
            fees: self.fees.clone(),
        }
    }
}

/// What everybody pays in the beginning.
pub(super) const fn first_rate(terms: &MarketTerms) -> Rate {
    Rate {
        maker_ppm: terms.maker_ppm,
        taker_ppm: terms.taker_ppm,
    }
}

/// Checks fees by tier, so that the engine takes them; answers them as it does.
pub(super) fn check_fees(fees: &[Rate]) -> Result<Vec<FeeRate>, Error> {
    if !(1..=usize::from(TIERS_MAX)).contains(&fees.len()) {
        return Err(Error::field("tiers", format!("1 to {TIERS_MAX} of them")));
    }
    if fees
        .iter()
        .any(|rate| rate.maker_ppm >= MILLION || rate.taker_ppm >= MILLION)
    {
        return Err(Error::field("tiers", "each from 0 to 999999 millionths"));
    }
    let engine = |rate: &Rate| FeeRate {
        maker_ppm: rate.maker_ppm,
        taker_ppm: rate.taker_ppm,
    };
    Ok(fees.iter().map(engine).collect())
}

/// A state as the engine names it.
pub const fn engine_state(state: MarketState) -> core::MarketState {
    match state {
        MarketState::Open => core::MarketState::Open,
        MarketState::CancelOnly => core::MarketState::CancelOnly,
        MarketState::Halted => core::MarketState::Halted,
        MarketState::Auction => core::MarketState::Auction,
    }
}

/// Checks what staff say about a market, so that the engine takes it.
pub fn check(terms: &MarketTerms, base: &Asset, quote: &Asset) -> Result<(), Error> {
    if base.id == quote.id {
        return Err(Error::field("quote", "another asset than the base"));
    }
    for (field, amount) in [
        ("tick", terms.tick),
        ("lot", terms.lot),
        ("price_max", terms.price_max),
    ] {
        if amount.is_zero() {
            return Err(Error::field(field, "more than zero"));
        }
    }
    let steps = |field, amount: Amount, step: Amount, name: &str| {
        let whole = amount.units().is_multiple_of(step.units());
        let few = i64::try_from(amount.units() / step.units()).is_ok();
        let refused = || Error::field(field, format!("a multiple of the {name}, less than 2^63 of them"));
        (whole && few).then_some(()).ok_or_else(refused)
    };
    steps("price_max", terms.price_max, terms.tick, "tick")?;
    steps("quantity_min", terms.quantity_min, terms.lot, "lot")?;
    steps("quantity_max", terms.quantity_max, terms.lot, "lot")?;
    if let Some(price) = terms.reference_price {
        steps("reference_price", price, terms.tick, "tick")?;
        if price > terms.price_max {
            return Err(Error::field("reference_price", "at most the highest price"));
        }
    }
    if terms.quantity_min.is_zero() || terms.quantity_min > terms.quantity_max {
        return Err(Error::field(
            "quantity_min",
            "more than zero, and at most quantity_max",
        ));
    }
    let product = terms.tick.units().checked_mul(terms.lot.units());
    if !product.is_some_and(|product| product.is_multiple_of(base.decimals.units_per_whole())) {
        let message = format!(
            "one lot at one tick must cost a whole number of the smallest units of {}",
            quote.symbol
        );
        return Err(Error::field("tick", message));
    }
    let units = product.unwrap_or(0) / base.decimals.units_per_whole();
    let ticks = terms.price_max.units() / terms.tick.units();
    let lots = terms.quantity_max.units() / terms.lot.units();
    let most = [ticks, lots, units, u128::from(MILLION)]
        .into_iter()
        .try_fold(1_u128, u128::checked_mul);
    let fees = terms.quantity_max.units().checked_mul(MILLION.into());
    if most.is_none() || fees.is_none() {
        return Err(Error::field(
            "quantity_max",
            "an order of this size at price_max is more than 128 bits hold",
        ));
    }
    if terms.band_ppm >= MILLION {
        return Err(Error::field("band_ppm", "from 0 (no bound) to 999999"));
    }
    if !(1..=OPEN_ORDERS_MAX).contains(&terms.open_orders_max) {
        return Err(Error::field(
            "open_orders_max",
            format!("from 1 to {OPEN_ORDERS_MAX}"),
        ));
    }
    for (field, rate) in [("maker_ppm", terms.maker_ppm), ("taker_ppm", terms.taker_ppm)] {
        if rate >= MILLION {
            return Err(Error::field(field, "from 0 to 999999 millionths"));
        }
    }
    Ok(())
}
