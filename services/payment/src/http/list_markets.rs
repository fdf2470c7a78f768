use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::connection;
use crate::Payment;
use crate::market::{Market, store};

/// The markets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MarketList {
    /// All of them.
    items: Vec<MarketItem>,
}

/// A market. Prices and values are in whole units of the quote asset, quantities of the base asset.
#[derive(Debug, Serialize, ToSchema)]
struct MarketItem {
    /// Its symbol.
    #[schema(example = "ETH-USDT")]
    symbol: String,
    /// Symbol of the asset that is bought and sold.
    #[schema(example = "ETH")]
    base: String,
    /// Symbol of the asset that it is paid with.
    #[schema(example = "USDT")]
    quote: String,
    /// `open`, `cancel_only`, `halted` or `auction`.
    #[schema(example = "open")]
    state: &'static str,
    /// Prices are multiples of it.
    #[schema(example = "0.01")]
    tick: String,
    /// Quantities are multiples of it.
    #[schema(example = "0.001")]
    lot: String,
    /// The highest price.
    price_max: String,
    /// The smallest quantity of an order.
    quantity_min: String,
    /// The largest quantity of an order.
    quantity_max: String,
    /// The smallest value of an order.
    value_min: String,
    /// How far a price may lie from the last trade's, in millionths of it; 0 for no bound.
    band_ppm: u32,
    /// How many orders a person may have open.
    open_orders_max: u32,
    /// Fee of an order that rested, in millionths of what is received, for who has traded little.
    maker_ppm: u32,
    /// Fee of an order that came, in millionths of what is received, for who has traded little.
    taker_ppm: u32,
    /// Price of the last trade.
    #[schema(required = false, example = "2500.5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_price: Option<String>,
}

fn item(market: Market) -> Option<MarketItem> {
    let state = store::word(market.state?);
    let (terms, rate) = (&market.terms, market.rate(0));
    Some(MarketItem {
        state,
        tick: market.quote(terms.tick),
        lot: market.base(terms.lot),
        price_max: market.quote(terms.price_max),
        quantity_min: market.base(terms.quantity_min),
        quantity_max: market.base(terms.quantity_max),
        value_min: market.quote(terms.value_min),
        band_ppm: terms.band_ppm,
        open_orders_max: terms.open_orders_max,
        maker_ppm: rate.maker_ppm,
        taker_ppm: rate.taker_ppm,
        last_price: market.last_price.map(|price| market.quote(price)),
        symbol: market.symbol,
        base: market.base_symbol,
        quote: market.quote_symbol,
    })
}

/// Lists the markets
#[utoipa::path(get, path = "/v1/markets", tag = "trading", operation_id = "list_markets",
    responses((status = 200, description = "The markets.", body = MarketList)))]
pub(super) async fn handle(State(payment): State<Payment>) -> Result<Json<MarketList>, Problem> {
    let markets = store::list(&mut *connection(&payment).await?).await?;
    Ok(Json(MarketList {
        items: markets.into_iter().filter_map(item).collect(),
    }))
}
