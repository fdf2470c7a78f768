use axum::extract::State;
use ferrex_ids::OrderId;
use ferrex_web::{Caller, Json, Page, PageQuery, Problem, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use super::order_views::{Markets, OrderView, order};
use super::views::connection;
use crate::Payment;
use crate::order::read::check_name;
use crate::order::shown;
use crate::order::store::{self, Wanted};

/// Which orders.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Only those of a market.
    market: Option<String>,
    /// Only those that are open.
    #[serde(default)]
    open: bool,
    /// Only those of this name of yours; of open orders there is at most one.
    #[param(pattern = "^[A-Za-z0-9_.:-]{1,64}$")]
    client_order_id: Option<String>,
}

/// Lists your orders, newest first
#[utoipa::path(get, path = "/v1/orders", tag = "trading", operation_id = "list_orders",
    security(("bearer" = [])), params(OrderQuery),
    responses((status = 200, description = "A page of your orders.", body = Page<OrderView>)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Query(query): Query<OrderQuery>,
) -> Result<Json<Page<OrderView>>, Problem> {
    let page = PageQuery::new(query.limit, query.cursor);
    let (limit, before) = (page.limit()?, page.after::<OrderId>()?);
    query.client_order_id.as_deref().map_or(Ok(()), check_name)?;
    shown::wait(&payment.context, caller.user).await?;
    let mut open = connection(&payment).await?;
    let markets = Markets::read(&mut open).await?;
    let market = query
        .market
        .as_deref()
        .map(|symbol| markets.find(symbol))
        .transpose()?;
    let wanted = Wanted {
        market,
        only_open: query.open,
        client_order_id: query.client_order_id.as_deref(),
    };
    let rows = store::list(&mut open, caller.user, &wanted, before, i64::from(limit) + 1).await?;
    let page = Page::from_overfull(
        rows,
        limit,
        |row| row.id,
        |row| Ok::<_, Problem>(order(row.clone(), markets.get(row.market)?)),
    );
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
