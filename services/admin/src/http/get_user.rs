use axum::extract::State;
use ferrex_contracts::core::GetUser;
use ferrex_ids::UserId;
use ferrex_web::{Json, Path, Problem};

use super::views::UserView;
use crate::Admin;
use crate::sessions::Actor;

/// Shows a person
#[utoipa::path(
    get, path = "/v1/users/{id}", operation_id = "get_user", tag = "users",
    security(("bearer" = [])),
    params(("id" = String, Path, pattern = "^usr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The person.")),
    responses((status = 200, description = "The person.", body = UserView))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    _: Actor,
    Path(user): Path<UserId>,
) -> Result<Json<UserView>, Problem> {
    Ok(Json(admin.ask(user, &GetUser { user }).await?.into()))
}
