use axum::extract::State;
use ferrex_ids::OrderId;
use ferrex_time::Timestamp;
use ferrex_web::{Caller, Json, Page, PageQuery, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::order_views::{Markets, fee, received};
use super::views::connection;
use crate::Payment;
use crate::market::Market;
use crate::order::shown;
use crate::order::trades::{self, TradeRow};

/// Which trades.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TradeQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Only those of an order.
    #[param(value_type = Option<String>)]
    order: Option<OrderId>,
}

/// A trade of yours. Prices and values are in whole units of the quote asset, quantities of the base asset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TradeView {
    /// Which: grows with time within a market.
    #[schema(example = "8123-0")]
    id: String,
    /// Your order.
    #[schema(value_type = String, example = "ord_01kb3x2y6s7v8w9x0y1z2a3b4c")]
    order: OrderId,
    /// Symbol of the market.
    #[schema(example = "ETH-USDT")]
    market: String,
    /// Yours: `buy` or `sell`.
    #[schema(example = "buy")]
    side: &'static str,
    /// `maker` if your order rested, `taker` if it came, `auction` if both rested.
    #[schema(example = "taker")]
    role: &'static str,
    /// The price.
    #[schema(example = "2500.5")]
    price: String,
    /// How much.
    #[schema(example = "0.2")]
    quantity: String,
    /// What that cost or brought.
    #[schema(example = "500.1")]
    value: String,
    /// Your fee, taken from what you received.
    #[schema(example = "0.0002")]
    fee: String,
    /// Symbol of the asset that the fee is in.
    #[schema(example = "ETH")]
    fee_asset: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

fn view(row: &TradeRow, caller: &Caller, market: &Market) -> TradeView {
    let (side, order, role, charged) = row.of(caller.user);
    let (price, quantity, value) = row.amounts();
    TradeView {
        id: format!("{}-{}", row.sequence, row.place),
        order,
        market: market.symbol.clone(),
        side,
        role,
        price: market.quote(price),
        quantity: market.base(quantity),
        value: market.quote(value),
        fee: fee(side, charged, market),
        fee_asset: received(side, market),
        at: row.at,
    }
}

/// Lists your trades, newest first
#[utoipa::path(get, path = "/v1/trades", tag = "trading", operation_id = "list_trades",
    security(("bearer" = [])), params(TradeQuery),
    responses((status = 200, description = "A page of your trades.", body = Page<TradeView>)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Query(query): Query<TradeQuery>,
) -> Result<Json<Page<TradeView>>, Problem> {
    let page = PageQuery::new(query.limit, query.cursor);
    let (limit, below) = (page.limit()?, page.after::<(i64, i32)>()?);
    shown::wait(&payment.context, caller.user).await?;
    let mut open = connection(&payment).await?;
    let rows = trades::list(&mut open, caller.user, query.order, below, i64::from(limit) + 1).await?;
    let markets = Markets::read(&mut open).await?;
    let place = |row: &TradeRow| (row.sequence, row.place);
    let page = Page::from_overfull(rows, limit, place, |row| {
        Ok::<_, Problem>(view(&row, &caller, markets.get(row.market())?))
    });
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
