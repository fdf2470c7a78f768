use axum::extract::State;
use axum::http::StatusCode;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{self, ListAssets, MarketTerms};
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::{amount, asset, reason};
use super::market_view::MarketView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// A market. Prices and values are in whole units of the quote asset, quantities of the base asset. What it is cannot be
/// changed afterwards.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateMarket {
    /// Symbol of the asset that is bought and sold.
    #[schema(example = "ETH", max_length = 12)]
    base: String,
    /// Symbol of the asset that it is paid with.
    #[schema(example = "USDT", max_length = 12)]
    quote: String,
    /// Prices are multiples of it.
    #[schema(example = "0.01")]
    tick: String,
    /// Quantities are multiples of it; one lot at one tick must cost a whole number of smallest units.
    #[schema(example = "0.001")]
    lot: String,
    /// The highest price.
    #[schema(example = "1000000")]
    price_max: String,
    /// The smallest quantity of an order.
    #[schema(example = "0.001")]
    quantity_min: String,
    /// The largest quantity of an order.
    #[schema(example = "1000")]
    quantity_max: String,
    /// The smallest value of an order.
    #[schema(example = "5")]
    value_min: String,
    /// How far a price may lie from the last trade's, in millionths of it; 0 for no bound.
    #[schema(maximum = 999_999, example = 100_000)]
    band_ppm: u32,
    /// How many orders a person may have open.
    #[schema(minimum = 1, maximum = 10_000, example = 200)]
    open_orders_max: u32,
    /// Takes the place of the last trade's price before the first trade.
    reference_price: Option<String>,
    /// Fee of an order that rested, in millionths of what is received.
    #[schema(maximum = 999_999, example = 1_000)]
    maker_ppm: u32,
    /// Fee of an order that came, in millionths of what is received.
    #[schema(maximum = 999_999, example = 2_000)]
    taker_ppm: u32,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Makes a market, halted
#[utoipa::path(
    post, path = "/v1/markets", operation_id = "create_market", tag = "trading",
    security(("bearer" = [])),
    request_body = CreateMarket,
    responses(
        (status = 201, description = "The market.", body = MarketView),
        (status = 409, description = "There is one with other terms.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Json(body): Json<CreateMarket>,
) -> Result<(StatusCode, Json<MarketView>), Problem> {
    let reason = reason(&body.reason)?;
    let registry = admin.ask("", &ListAssets {}).await?;
    let base = asset(&registry.assets, "base", &body.base)?;
    let quote = asset(&registry.assets, "quote", &body.quote)?;
    let terms = MarketTerms {
        base: base.asset,
        quote: quote.asset,
        tick: amount("tick", &body.tick, quote)?,
        lot: amount("lot", &body.lot, base)?,
        price_max: amount("price_max", &body.price_max, quote)?,
        quantity_min: amount("quantity_min", &body.quantity_min, base)?,
        quantity_max: amount("quantity_max", &body.quantity_max, base)?,
        value_min: amount("value_min", &body.value_min, quote)?,
        band_ppm: body.band_ppm,
        open_orders_max: body.open_orders_max,
        reference_price: match &body.reference_price {
            Some(price) => Some(amount("reference_price", price, quote)?),
            None => None,
        },
        maker_ppm: body.maker_ppm,
        taker_ppm: body.taker_ppm,
    };
    let symbol = format!("{}-{}", body.base, body.quote);
    let what = Act {
        action: "market.create",
        subject: symbol.clone(),
        reason: Some(reason.clone()),
        before: None,
    };
    let request = payment::CreateMarket {
        terms,
        by: StaffAction {
            staff: actor.staff,
            reason,
        },
    };
    let market = act(&admin, &actor, what, symbol, request, |market| json!(market)).await?;
    Ok((StatusCode::CREATED, Json(market.into())))
}
