use axum::extract::State;
use ferrex_web::{Json, Page, Problem};

use super::views::StaffView;
use crate::sessions::Actor;
use crate::{Admin, staff};

/// Lists staff
#[utoipa::path(
    get, path = "/v1/staff", operation_id = "list_staff", tag = "staff",
    security(("bearer" = [])),
    responses((status = 200, description = "Everybody, in the order of their coming.", body = Page<StaffView>))
)]
pub(super) async fn handle(State(admin): State<Admin>, _: Actor) -> Result<Json<Page<StaffView>>, Problem> {
    let items = staff::list(&admin.db)
        .await?
        .into_iter()
        .map(StaffView::from)
        .collect();
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}
