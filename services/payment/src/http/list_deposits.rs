use axum::extract::State;
use ferrex_ids::DepositId;
use ferrex_web::{Caller, Json, Page, PageQuery, Problem, Query};

use super::views::{Assets, DepositView, connection, deposit};
use crate::Payment;
use crate::deposit::store;

/// Lists your deposits, newest first
#[utoipa::path(get, path = "/v1/deposits", tag = "deposits", operation_id = "list_deposits",
    security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of your deposits.", body = Page<DepositView>)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DepositView>>, Problem> {
    let (limit, before) = (page.limit()?, page.after::<DepositId>()?);
    let mut open = connection(&payment).await?;
    let rows = store::list(&mut open, caller.user, before, i64::from(limit) + 1).await?;
    let assets = Assets::read(&mut open).await?;
    let page = Page::from_overfull(rows, limit, |row| row.id, |row| deposit(row, &assets));
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
