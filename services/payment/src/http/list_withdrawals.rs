use axum::extract::State;
use ferrex_ids::WithdrawalId;
use ferrex_web::{Caller, Json, Page, PageQuery, Problem, Query};

use super::views::{Assets, WithdrawalView, connection, withdrawal};
use crate::Payment;
use crate::withdrawal::store;

/// Lists your withdrawals, newest first
#[utoipa::path(get, path = "/v1/withdrawals", tag = "withdrawals", operation_id = "list_withdrawals",
    security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of your withdrawals.", body = Page<WithdrawalView>)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<WithdrawalView>>, Problem> {
    let (limit, before) = (page.limit()?, page.after::<WithdrawalId>()?);
    let mut open = connection(&payment).await?;
    let rows = store::list(&mut open, caller.user, before, i64::from(limit) + 1).await?;
    let assets = Assets::read(&mut open).await?;
    let page = Page::from_overfull(rows, limit, |row| row.id, |row| withdrawal(row, &assets));
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
