use axum::extract::State;
use axum::http::StatusCode;
use ferrex_contracts::engine::Tif;
use ferrex_engine_core as core;
use ferrex_time::Timestamp;
use ferrex_web::{Caller, IdempotencyKey, Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::order_views::{OrderView, order};
use crate::Payment;
use crate::order::read::Asked;
use crate::order::request;

/// An order that is wanted. Prices and values are in whole units of the quote asset, quantities of the base asset.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateOrder {
    /// Symbol of the market.
    #[schema(example = "ETH-USDT", max_length = 25)]
    market: String,
    /// Which way.
    side: Side,
    /// `limit` rests at its price, `market` trades at once.
    r#type: OrderType,
    /// The limit; of a market order the worst price it may trade at.
    #[schema(example = "2500.5")]
    price: String,
    /// How much of the base asset.
    #[schema(example = "0.5")]
    #[serde(default)]
    quantity: Option<String>,
    /// Of a market buy, for how much of the quote asset, in place of a quantity.
    #[serde(default)]
    value: Option<String>,
    /// Makes it a stop: it waits beside the book until a trade happens at this price, or at a higher one for a buy, a lower
    /// one for a sell. What it may spend is held meanwhile.
    #[serde(default)]
    stop_price: Option<String>,
    /// Of a limit order, what becomes of what does not trade at once; `gtc` if absent.
    #[serde(default)]
    time_in_force: Option<TimeInForce>,
    /// From when on it may expire; of an order that rests, or a stop that waits.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Makes it an iceberg: the most that others see of it at a time.
    #[serde(default)]
    display_quantity: Option<String>,
    /// What happens when it meets an order of yours; `cancel_newest` if absent.
    #[serde(default)]
    self_trade: Option<SelfTrade>,
    /// Your own name for it, unique among your open orders: 1 to 64 of A-Z, a-z, 0-9 and `- _ . :`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    client_order_id: Option<String>,
}

/// Which way an order goes.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Side {
    /// Takes the base asset.
    Buy,
    /// Gives the base asset.
    Sell,
}

/// Whether an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OrderType {
    /// At its price or a better one.
    Limit,
    /// At once, at whatever prices there are up to the worst.
    Market,
}

/// What becomes of what does not trade at once.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TimeInForce {
    /// It rests.
    Gtc,
    /// It is cancelled.
    Ioc,
    /// All or nothing.
    Fok,
    /// All of it rests, or the order is refused.
    PostOnly,
}

/// What happens when an order meets one of the same person.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SelfTrade {
    /// The one that comes is cancelled.
    CancelNewest,
    /// The one that rests is cancelled.
    CancelOldest,
    /// Both are.
    CancelBoth,
    /// Both shrink by what they would have traded.
    Decrement,
}

impl From<CreateOrder> for Asked {
    fn from(body: CreateOrder) -> Self {
        Self {
            market: body.market,
            side: match body.side {
                Side::Buy => core::Side::Buy,
                Side::Sell => core::Side::Sell,
            },
            by_market: body.r#type == OrderType::Market,
            price: body.price,
            quantity: body.quantity,
            value: body.value,
            stop_price: body.stop_price,
            tif: body.time_in_force.map(|tif| match tif {
                TimeInForce::Gtc => Tif::Gtc,
                TimeInForce::Ioc => Tif::Ioc,
                TimeInForce::Fok => Tif::Fok,
                TimeInForce::PostOnly => Tif::PostOnly,
            }),
            expires_at: body.expires_at,
            display_quantity: body.display_quantity,
            self_trade: body.self_trade.map(|mode| match mode {
                SelfTrade::CancelNewest => core::SelfTrade::CancelNewest,
                SelfTrade::CancelOldest => core::SelfTrade::CancelOldest,
                SelfTrade::CancelBoth => core::SelfTrade::CancelBoth,
                SelfTrade::Decrement => core::SelfTrade::Decrement,
            }),
            client_order_id: body.client_order_id,
        }
    }
}

/// Places an order
///
/// The answer shows what has traded at once.
#[utoipa::path(post, path = "/v1/orders", tag = "trading", operation_id = "create_order",
    security(("bearer" = [])), params(IdempotencyKey), request_body = CreateOrder,
    responses(
        (status = 201, description = "The market has it.", body = OrderView),
        (status = 202, description = "The outcome is not known yet. Look again.", body = OrderView),
        (status = 403, description = "Your money was stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The market does not take it, there is not enough available, or the key was used for \
         another request.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is wrong or outside what the market allows.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many open orders.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateOrder>,
) -> Result<(StatusCode, Json<OrderView>), Problem> {
    let placed = request::place(&payment, caller.user, &key, &body.into()).await?;
    let view = order(placed.order, &placed.market);
    Ok(if placed.accepted {
        (StatusCode::CREATED, Json(view.accepted()))
    } else {
        (StatusCode::ACCEPTED, Json(view))
    })
}
