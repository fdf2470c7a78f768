use axum::extract::State;
use ferrex_contracts::core::ListVerifications;
use ferrex_web::{Json, Page, Problem, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::limit;
use super::views::{VerificationState, VerificationView};
use crate::Admin;
use crate::sessions::Actor;

/// Which submissions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VerificationsQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<VerificationState>,
    /// How many items, 20 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(pattern = "^ver_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    cursor: Option<String>,
}

/// Lists submissions for identity levels
#[utoipa::path(
    get, path = "/v1/verifications", operation_id = "list_verifications", tag = "verifications",
    security(("bearer" = [])),
    params(VerificationsQuery),
    responses((status = 200, description = "The oldest first.", body = Page<VerificationView>))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    _: Actor,
    Query(query): Query<VerificationsQuery>,
) -> Result<Json<Page<VerificationView>>, Problem> {
    let state = query.state.map(Into::into);
    let ask = ListVerifications {
        state,
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    let page = admin.ask("", &ask).await?;
    let items = page.items.into_iter().map(VerificationView::from).collect();
    Ok(Json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
