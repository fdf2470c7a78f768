use axum::extract::State;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::person::SessionToken;
use crate::{Core, sessions};

/// An access token.
#[derive(Serialize, ToSchema)]
pub(super) struct AccessTokenView {
    /// Send it as `Authorization: Bearer …` with every call.
    access_token: String,
    /// When it ends; get the next one before.
    #[schema(value_type = String, format = DateTime)]
    access_token_expires_at: Timestamp,
}

/// Gets the next access token
///
/// Send the session token, not an access token, as `Authorization: Bearer …`.
#[utoipa::path(
    post, path = "/v1/sessions/current/token", operation_id = "renew_access_token", tag = "sessions",
    security(("session_token" = [])),
    responses((status = 200, description = "An access token of five minutes.", body = AccessTokenView))
)]
pub(super) async fn handle(
    State(core): State<Core>,
    SessionToken(token): SessionToken,
) -> Result<Json<AccessTokenView>, Problem> {
    let (access_token, access_token_expires_at) = sessions::renew(&core, &token).await?;
    Ok(Json(AccessTokenView {
        access_token,
        access_token_expires_at,
    }))
}
