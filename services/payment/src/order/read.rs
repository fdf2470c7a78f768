//! What a person asks for, read: fields as amounts of a market, and what is wrong with one said with its name.

use ferrex_contracts::engine::Tif;
use ferrex_engine_core::{self as core, OrderKind, PlaceOrder, Refusal, SelfTrade, Side, Terms};
use ferrex_ids::UserId;
use ferrex_money::{Amount, Decimals};
use ferrex_time::Timestamp;
use serde::Serialize;

use super::Error;
use super::model::OrderRow;
use crate::market::Market;

const CLIENT_ID_CHARS_MAX: usize = 64;

/// An order that a person asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Symbol of the market.
    pub market: String,
    /// Which way.
    pub side: Side,
    /// Whether it never rests.
    pub by_market: bool,
    /// Limit, or worst price.
    pub price: String,
    /// How much of the base asset.
    pub quantity: Option<String>,
    /// For how much of the quote asset.
    pub value: Option<String>,
    /// The last price that triggers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_price: Option<String>,
    /// What becomes of what does not trade at once.
    pub tif: Option<Tif>,
    /// From when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// Of an iceberg, the most that others see.
    pub display_quantity: Option<String>,
    /// What happens when it meets an order of the same person.
    pub self_trade: Option<SelfTrade>,
    /// The person's own name for it.
    pub client_order_id: Option<String>,
}

/// A change of an order that a person asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The new limit; none leaves it.
    pub price: Option<String>,
    /// The new quantity, what has traded included; none leaves it.
    pub quantity: Option<String>,
}

fn amount(field: &'static str, text: &str, decimals: Decimals) -> Result<Amount, Error> {
    let code = "payment.amount.invalid";
    let amount = ferrex_money::parse(text, decimals);
    let amount = amount.map_err(|error| Error::field(code, field, error.to_string()))?;
    if amount.is_zero() {
        return Err(Error::field(code, field, "more than zero"));
    }
    Ok(amount)
}

fn maybe(field: &'static str, text: Option<&String>, decimals: Decimals) -> Result<Option<Amount>, Error> {
    text.map(|text| amount(field, text, decimals)).transpose()
}

fn shape<T>(field: &'static str, message: &str) -> Result<T, Error> {
    Err(Error::field("payment.order.shape", field, message))
}

/// Reads an order as the engine takes it; its own name is set by who places it.
pub(super) fn order(asked: &Asked, market: &Market, user: UserId) -> Result<PlaceOrder, Error> {
    let (base, quote) = (market.base_decimals, market.quote_decimals);
    let price = amount("price", &asked.price, quote)?;
    let quantity = maybe("quantity", asked.quantity.as_ref(), base)?;
    let value = maybe("value", asked.value.as_ref(), quote)?;
    let kind = match (asked.by_market, quantity, value) {
        (_, Some(_), Some(_)) => return shape("value", "give `quantity` or `value`, not both"),
        (_, None, None) => return shape("quantity", "give a `quantity`, or for a market buy a `value`"),
        (false, None, Some(_)) => return shape("value", "only a market order is for a `value`"),
        (true, None, Some(_)) if asked.side == Side::Sell => {
            return shape("value", "only a buy is for a `value`");
        }
        (true, None, Some(value)) => OrderKind::MarketByValue {
            value,
            protection: price,
        },
        (true, Some(quantity), None) => OrderKind::Market {
            quantity,
            protection: price,
        },
        (false, Some(quantity), None) => OrderKind::Limit {
            price,
            quantity,
            tif: engine_tif(asked.tif.unwrap_or(Tif::Gtc)),
        },
    };
    let stop = maybe("stop_price", asked.stop_price.as_ref(), quote)?;
    let display = maybe("display_quantity", asked.display_quantity.as_ref(), base)?;
    let tif = tif(asked);
    if asked.by_market && tif != Tif::Ioc {
        return shape("time_in_force", "a market order is always `ioc`");
    }
    if stop.is_some() && !matches!(tif, Tif::Gtc | Tif::Ioc) {
        return shape("time_in_force", "a stop is `gtc` or `ioc`");
    }
    let rests = matches!(tif, Tif::Gtc | Tif::PostOnly);
    if asked.expires_at.is_some() && !rests && stop.is_none() {
        return shape("expires_at", "an order that never rests does not expire");
    }
    if display.is_some() && !rests {
        return shape("display_quantity", "an order that never rests shows nothing");
    }
    asked.client_order_id.as_deref().map_or(Ok(()), check_name)?;
    Ok(PlaceOrder {
        market: market.id,
        owner: user.uuid(),
        side: asked.side,
        kind,
        terms: Terms {
            stop,
            display,
            expires_at: asked.expires_at,
            self_trade: asked.self_trade.unwrap_or_default(),
            client: None,
        },
    })
}

/// What becomes of what does not trade at once.
pub(super) fn tif(asked: &Asked) -> Tif {
    let usual = if asked.by_market { Tif::Ioc } else { Tif::Gtc };
    asked.tif.unwrap_or(usual)
}

/// Refuses a name that no order can have.
pub fn check_name(name: &str) -> Result<(), Error> {
    let visible = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if (1..=CLIENT_ID_CHARS_MAX).contains(&name.len()) && name.bytes().all(visible) {
        return Ok(());
    }
    let message = format!("1 to {CLIENT_ID_CHARS_MAX} of A-Z, a-z, 0-9 and - _ . :");
    Err(Error::field(
        "payment.order.client_id_invalid",
        "client_order_id",
        message,
    ))
}

/// Reads a change: price and quantity.
pub(super) fn change(asked: &Change, market: &Market) -> Result<(Option<Amount>, Option<Amount>), Error> {
    let price = maybe("price", asked.price.as_ref(), market.quote_decimals)?;
    let quantity = maybe("quantity", asked.quantity.as_ref(), market.base_decimals)?;
    if price.is_none() && quantity.is_none() {
        return shape("quantity", "give a new `price`, a new `quantity` or both");
    }
    Ok((price, quantity))
}

/// Refuses a change that would leave an order below the market's least. One that leaves nothing ends it and is allowed.
pub(super) fn check_least(
    order: &OrderRow,
    market: &Market,
    price: Option<Amount>,
    quantity: Option<Amount>,
) -> Result<(), Error> {
    let quantity = quantity.or(order.quantity).unwrap_or(Amount::ZERO);
    if quantity <= order.filled {
        return Ok(());
    }
    let price = price.unwrap_or(order.price).units();
    let per = market.base_decimals.units_per_whole();
    // More than 128 bits hold is enough in any case; the engine says that it is too large.
    let value = price.checked_mul(quantity.units()).map(|product| product / per);
    let enough = value.is_none_or(|value| value >= market.terms.value_min.units());
    if quantity < market.terms.quantity_min || !enough {
        return Err(Error::refused(Refusal::TooSmall, market));
    }
    Ok(())
}

const fn engine_tif(tif: Tif) -> core::Tif {
    match tif {
        Tif::Gtc => core::Tif::Gtc,
        Tif::Ioc => core::Tif::Ioc,
        Tif::Fok => core::Tif::Fok,
        Tif::PostOnly => core::Tif::PostOnly,
    }
}
