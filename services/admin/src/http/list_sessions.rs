use axum::extract::State;
use ferrex_web::{Json, Page, Problem};

use super::views::SessionView;
use crate::Admin;
use crate::sessions::{self, Actor};

/// Lists your sessions
#[utoipa::path(
    get, path = "/v1/sessions", operation_id = "list_sessions", tag = "sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "The newest first.", body = Page<SessionView>))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
) -> Result<Json<Page<SessionView>>, Problem> {
    let sessions = sessions::list(&admin, &actor).await?;
    let items = sessions
        .into_iter()
        .map(|session| SessionView::new(session, actor.session))
        .collect();
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}
