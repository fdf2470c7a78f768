use axum::extract::State as Of;
use ferrex_web::{Json, Page, PageQuery, Path, Problem, Query};

use super::views::ApprovalView;
use crate::Admin;
use crate::approvals::{self, State};
use crate::sessions::Actor;

/// Lists withdrawals that wait or waited for staff
#[utoipa::path(
    get, path = "/v1/withdrawal-approvals/by-state/{state}", operation_id = "list_approvals", tag = "approvals",
    security(("bearer" = [])),
    params(("state" = State, Path, description = "Only those in this state."), PageQuery),
    responses((status = 200, description = "The newest first.", body = Page<ApprovalView>))
)]
pub(super) async fn handle(
    Of(admin): Of<Admin>,
    _: Actor,
    Path(state): Path<State>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ApprovalView>>, Problem> {
    let limit = query.limit()?;
    let rows = approvals::list(&admin, state, query.after()?, limit).await?;
    Ok(Json(Page::from_overfull(
        rows,
        limit,
        |row| row.content.withdrawal,
        ApprovalView::from,
    )))
}
