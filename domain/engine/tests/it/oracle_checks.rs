//! What the oracle refuses of orders: by themselves, by the market's terms, by what is on the book.

use ferrex_engine_core::{OrderKind, PlaceOrder, Refusal, SelfTrade, Side, Tif};
use ferrex_money::Amount;

use crate::oracle::{Market, Oracle, Order, queue};

/// What is wrong with an order whatever the market is like.
pub fn shape(wish: &PlaceOrder) -> Result<Order, Refusal> {
    let terms = &wish.terms;
    let (limit, tif, by_value, numbers) = match wish.kind {
        OrderKind::Limit { price, quantity, tif } => (true, tif, false, [price, quantity]),
        OrderKind::Market { quantity, protection } => (false, Tif::Ioc, false, [protection, quantity]),
        OrderKind::MarketByValue { value, protection } => (false, Tif::Ioc, true, [protection, value]),
    };
    let zero = |amount: Option<Amount>| amount.is_some_and(Amount::is_zero);
    if numbers.iter().any(|amount| amount.is_zero()) || zero(terms.stop) || zero(terms.display) {
        return Err(Refusal::ZeroAmount);
    }
    let may_rest = limit && (tif == Tif::Gtc || tif == Tif::PostOnly);
    if by_value && wish.side == Side::Sell
        || terms.display.is_some() && !may_rest
        || terms.expires_at.is_some() && !may_rest && terms.stop.is_none()
        || terms.stop.is_some() && (tif == Tif::Fok || tif == Tif::PostOnly)
    {
        return Err(Refusal::OrderShape);
    }
    Ok(Order {
        number: 0,
        owner: wish.owner,
        side: wish.side,
        limit: 0,
        total: 0,
        left: 0,
        shown: 0,
        display: 0,
        value: by_value.then_some(0),
        market: !limit,
        tif,
        stop: 0,
        waiting: terms.stop.is_some(),
        expires_at: terms.expires_at.map_or(i64::MAX, |at| at.timestamp_micros()),
        self_trade: terms.self_trade,
        client: terms.client,
        time: 0,
    })
}

pub fn ticks(market: &Market, price: u128) -> Result<u64, Refusal> {
    let tick = market.spec.tick.units();
    if !price.is_multiple_of(tick) || price == 0 {
        return Err(Refusal::OffTick);
    }
    if price > market.spec.price_max.units() {
        return Err(Refusal::TooLarge);
    }
    Ok(u64::try_from(price / tick).unwrap())
}

pub fn reference(market: &Market) -> u64 {
    if market.last > 0 {
        return market.last;
    }
    let price = market.spec.reference_price.map_or(0, Amount::units);
    u64::try_from(price / market.spec.tick.units()).unwrap()
}

pub fn in_band(market: &Market, price: u64, around: u64) -> bool {
    let ppm = u128::from(market.spec.band_ppm);
    let distance = u128::from(price.abs_diff(around)) * 1_000_000;
    ppm == 0 || around == 0 || distance <= u128::from(around) * ppm
}

/// Prices and quantities in ticks and lots, in the order in which they are refused.
pub fn measure(market: &Market, wish: &PlaceOrder, mut order: Order, now: i64) -> Result<Order, Refusal> {
    let spec = &market.spec;
    let (price, quantity) = match wish.kind {
        OrderKind::Limit { price, quantity, .. } => (price, Some(quantity)),
        OrderKind::Market { quantity, protection } => (protection, Some(quantity)),
        OrderKind::MarketByValue { protection, .. } => (protection, None),
    };
    order.limit = ticks(market, price.units())?;
    if let Some(stop) = wish.terms.stop {
        order.stop = ticks(market, stop.units())?;
    }
    let quantity = match quantity {
        None => spec.quantity_max.units(),
        Some(quantity) if !quantity.units().is_multiple_of(market.lot) => return Err(Refusal::OffLot),
        Some(quantity) if quantity < spec.quantity_min => return Err(Refusal::TooSmall),
        Some(quantity) if quantity > spec.quantity_max => return Err(Refusal::TooLarge),
        Some(quantity) => quantity.units(),
    };
    order.total = u64::try_from(quantity / market.lot).unwrap();
    order.left = order.total;
    if let Some(display) = wish.terms.display {
        if !display.units().is_multiple_of(market.lot) {
            return Err(Refusal::OffLot);
        }
        order.display = u64::try_from(display.units() / market.lot).unwrap();
    }
    match wish.kind {
        OrderKind::Limit { .. } => {
            if u128::from(order.limit) * u128::from(order.left) * market.unit < spec.value_min.units() {
                return Err(Refusal::TooSmall);
            }
        }
        OrderKind::Market { .. } => {}
        OrderKind::MarketByValue { value, .. } => {
            let most =
                (spec.price_max.units() / spec.tick.units()) * (spec.quantity_max.units() / market.lot);
            if value.units() / market.unit > most {
                return Err(Refusal::TooLarge);
            }
            if value.units() < market.unit || value < spec.value_min {
                return Err(Refusal::TooSmall);
            }
            order.value = Some(value.units() / market.unit);
        }
    }
    if order.expires_at <= now {
        return Err(Refusal::ExpiryPast);
    }
    let around = if order.stop > 0 {
        order.stop
    } else {
        reference(market)
    };
    if order.market {
        // The best price within the band that is not beyond the protection price.
        let highest = u64::try_from(spec.price_max.units() / spec.tick.units()).unwrap();
        while order.side == Side::Buy && order.limit > around && !in_band(market, order.limit, around) {
            order.limit -= 1;
        }
        while order.side == Side::Sell && order.limit < around && !in_band(market, order.limit, around) {
            order.limit += 1;
        }
        order.limit = order.limit.min(highest);
    } else if !in_band(market, order.limit, around) {
        return Err(Refusal::PriceOutsideBand);
    }
    Ok(order)
}

/// What a book does not take.
pub fn refuse(market: &Market, order: &Order, auction: bool) -> Result<(), Refusal> {
    let queue = queue(market, order.side, order.limit);
    if auction {
        let own = queue
            .iter()
            .any(|place| market.orders[*place].owner == order.owner);
        return if own { Err(Refusal::SelfTrade) } else { Ok(()) };
    }
    let Some(first) = queue.first().map(|place| &market.orders[*place]) else {
        return match order.tif {
            _ if order.market => Err(Refusal::NoLiquidity),
            Tif::Fok => Err(Refusal::NotFillable),
            _ => Ok(()),
        };
    };
    if order.tif == Tif::PostOnly {
        return Err(Refusal::WouldTake);
    }
    if order.value.is_some_and(|value| value < u128::from(first.limit)) {
        return Err(Refusal::TooSmall);
    }
    if first.owner == order.owner && order.self_trade == SelfTrade::CancelNewest {
        return Err(Refusal::SelfTrade);
    }
    if order.tif == Tif::Fok {
        // What would happen is tried out on a copy.
        let mut copy = Oracle::default();
        copy.markets.insert(market.id, market.clone());
        let mut trial = order.clone();
        trial.tif = Tif::Ioc;
        let wanted = trial.left;
        copy.take(market.id, trial, true);
        if copy.trades.iter().map(|trade| trade.lots).sum::<u64>() < wanted {
            return Err(Refusal::NotFillable);
        }
    }
    Ok(())
}
