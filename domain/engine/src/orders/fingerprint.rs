use ferrex_matching::Tif;
use ferrex_money::Amount;
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::{MarketSpec, OrderKind, OrderRef, PlaceOrder};
use crate::Action;

/// The canonical encoding of an action on markets and orders. It never changes, new variants take new tags; tag 1 is
/// that of transfers.
pub(crate) fn encode(action: &Action, bytes: &mut Vec<u8>) {
    match action {
        Action::Transfer(_) => {}
        Action::CreateMarket { market, spec } => {
            tag(bytes, 2, market.0);
            encode_spec(spec, bytes);
        }
        Action::SetMarketState { market, state } => {
            tag(bytes, 3, market.0);
            bytes.push(state.code());
        }
        Action::SetFees { market, rates } => {
            tag(bytes, 4, market.0);
            for rate in rates {
                bytes.extend_from_slice(&rate.maker_ppm.to_le_bytes());
                bytes.extend_from_slice(&rate.taker_ppm.to_le_bytes());
            }
        }
        Action::SetFeeTier { owner, tier } => {
            tag(bytes, 5, u32::from(*tier));
            bytes.extend_from_slice(owner.as_bytes());
        }
        Action::PlaceOrder(order) => {
            tag(bytes, 6, order.market.0);
            encode_order(order, bytes);
        }
        Action::AmendOrder(amend) => {
            tag(bytes, 7, amend.market.0);
            bytes.extend_from_slice(amend.owner.as_bytes());
            encode_ref(amend.order, bytes);
            maybe(bytes, amend.price);
            maybe(bytes, amend.quantity);
        }
        Action::CancelOrder { market, owner, order } => {
            tag(bytes, 8, market.0);
            bytes.extend_from_slice(owner.as_bytes());
            encode_ref(*order, bytes);
        }
        Action::CancelAll { market, owner } => {
            tag(bytes, 9, market.0);
            bytes.extend_from_slice(owner.as_bytes());
        }
        Action::ExpireOrders { market, now } => {
            tag(bytes, 10, market.0);
            time(bytes, *now);
        }
    }
}

fn tag(bytes: &mut Vec<u8>, tag: u8, number: u32) {
    bytes.push(tag);
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn units(bytes: &mut Vec<u8>, amount: Amount) {
    bytes.extend_from_slice(&amount.units().to_le_bytes());
}

fn time(bytes: &mut Vec<u8>, at: Timestamp) {
    bytes.extend_from_slice(&at.timestamp_micros().to_le_bytes());
}

fn maybe(bytes: &mut Vec<u8>, amount: Option<Amount>) {
    bytes.push(u8::from(amount.is_some()));
    if let Some(amount) = amount {
        units(bytes, amount);
    }
}

fn maybe_uuid(bytes: &mut Vec<u8>, uuid: Option<Uuid>) {
    bytes.push(u8::from(uuid.is_some()));
    if let Some(uuid) = uuid {
        bytes.extend_from_slice(uuid.as_bytes());
    }
}

fn encode_ref(order: OrderRef, bytes: &mut Vec<u8>) {
    match order {
        OrderRef::Number(number) => {
            bytes.push(1);
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        OrderRef::Client(client) => {
            bytes.push(2);
            bytes.extend_from_slice(client.as_bytes());
        }
    }
}

pub(crate) fn encode_spec(spec: &MarketSpec, bytes: &mut Vec<u8>) {
    for number in [spec.base.0, spec.quote.0, spec.band_ppm, spec.open_orders_max] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for amount in [
        spec.per,
        spec.tick,
        spec.lot,
        spec.price_max,
        spec.quantity_min,
        spec.quantity_max,
        spec.value_min,
    ] {
        units(bytes, amount);
    }
    maybe(bytes, spec.reference_price);
}

fn encode_order(order: &PlaceOrder, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(order.owner.as_bytes());
    bytes.push(order.side.code());
    let (kind, price, quantity, tif) = match order.kind {
        OrderKind::Limit { price, quantity, tif } => (1, price, quantity, tif),
        OrderKind::Market { quantity, protection } => (2, protection, quantity, Tif::Ioc),
        OrderKind::MarketByValue { value, protection } => (3, protection, value, Tif::Ioc),
    };
    bytes.extend_from_slice(&[kind, tif.code(), order.terms.self_trade.code()]);
    units(bytes, price);
    units(bytes, quantity);
    maybe(bytes, order.terms.stop);
    maybe(bytes, order.terms.display);
    bytes.push(u8::from(order.terms.expires_at.is_some()));
    if let Some(at) = order.terms.expires_at {
        time(bytes, at);
    }
    maybe_uuid(bytes, order.terms.client);
}
