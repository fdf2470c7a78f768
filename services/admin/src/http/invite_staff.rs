use axum::extract::State;
use axum::http::StatusCode;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sessions::Actor;
use crate::{Admin, staff};

/// A one-time link.
#[derive(Serialize, ToSchema)]
pub(super) struct InvitationView {
    /// Hand it over in person; it is shown only here.
    setup_url: String,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Makes a set-up link for another account
#[utoipa::path(
    post, path = "/v1/staff/invitations", operation_id = "invite_staff", tag = "staff",
    security(("bearer" = [])),
    responses((status = 201, description = "The link.", body = InvitationView))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
) -> Result<(StatusCode, Json<InvitationView>), Problem> {
    let (setup_url, expires_at) = staff::invite(&admin, &actor).await?;
    Ok((
        StatusCode::CREATED,
        Json(InvitationView {
            setup_url,
            expires_at,
        }),
    ))
}
