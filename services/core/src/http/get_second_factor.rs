use axum::extract::State;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::person::Person;
use crate::{Core, factors};

/// The person's second factor.
#[derive(Serialize, ToSchema)]
pub(super) struct SecondFactorView {
    /// Whether an authenticator is enrolled.
    enrolled: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    enrolled_at: Option<Timestamp>,
    /// Recovery codes that are left.
    #[schema(minimum = 0, maximum = 10)]
    recovery_codes_left: i64,
}

/// Shows the person's second factor
#[utoipa::path(
    get, path = "/v1/me/second-factor", operation_id = "get_second_factor", tag = "second factor",
    security(("bearer" = [])),
    responses((status = 200, description = "The second factor.", body = SecondFactorView))
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
) -> Result<Json<SecondFactorView>, Problem> {
    let status = factors::status(&core, person.user).await?;
    Ok(Json(SecondFactorView {
        enrolled: status.enrolled_at.is_some(),
        enrolled_at: status.enrolled_at,
        recovery_codes_left: status.recovery_codes_left,
    }))
}
