use axum::extract::State;
use ferrex_web::{Json, Page, Problem};

use super::person::Person;
use super::submit_verification::VerificationView;
use crate::{Core, verifications};

/// Lists the person's submissions
///
/// Newest first, at most fifty, on one page.
#[utoipa::path(
    get, path = "/v1/me/verifications", operation_id = "list_verifications", tag = "verification",
    security(("bearer" = [])),
    responses((status = 200, description = "The submissions.", body = Page<VerificationView>))
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
) -> Result<Json<Page<VerificationView>>, Problem> {
    let rows = verifications::own(&core, person.user).await?;
    Ok(Json(Page {
        items: rows.into_iter().map(VerificationView::from).collect(),
        next_cursor: None,
    }))
}
