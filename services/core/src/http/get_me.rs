use axum::extract::State;
use ferrex_ids::UserId;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::person::Person;
use super::submit_verification::VerificationView;
use crate::{Core, verifications};

/// The person who asks.
#[derive(Serialize, ToSchema)]
pub(super) struct MeView {
    /// Names the person.
    #[schema(value_type = String, example = "usr_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    id: UserId,
    /// By which others find the person.
    user_name: String,
    /// Where mail goes.
    email: String,
    /// Identity level; 0 is unverified.
    #[schema(minimum = 0)]
    level: u8,
    /// Whether a second factor is enrolled.
    second_factor: bool,
    /// Whether support stopped the person's money.
    frozen: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen_because: Option<String>,
    /// The newest submission for an identity level.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationView>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Shows the person who asks
#[utoipa::path(
    get, path = "/v1/me", operation_id = "get_me", tag = "profile", security(("bearer" = [])),
    responses((status = 200, description = "The person.", body = MeView))
)]
pub(super) async fn handle(State(core): State<Core>, person: Person) -> Result<Json<MeView>, Problem> {
    let user = core.user(person.user).await?;
    let newest = verifications::own(&core, person.user).await?.into_iter().next();
    Ok(Json(MeView {
        id: user.id(),
        level: user.level(),
        second_factor: user.second_factor,
        frozen: user.is_frozen(),
        created_at: user.created_at,
        user_name: user.user_name,
        email: user.email,
        frozen_because: user.frozen_because,
        verification: newest.map(VerificationView::from),
    }))
}
