use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::person::Person;
use super::views::RecoveryCodesView;
use crate::{Core, factors};

/// The first code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmTotp {
    /// The 6 digits that the new authenticator shows.
    #[schema(max_length = 64, example = "123456")]
    code: String,
}

/// Ends the enrolment of an authenticator
///
/// From now on it is asked for. The recovery codes are shown only now.
#[utoipa::path(
    post, path = "/v1/me/second-factor/totp/confirm", operation_id = "confirm_totp", tag = "second factor",
    security(("bearer" = [])), request_body = ConfirmTotp,
    responses(
        (status = 200, description = "Enrolled.", body = RecoveryCodesView),
        (status = 409, description = "No enrolment is open.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Json(body): Json<ConfirmTotp>,
) -> Result<Json<RecoveryCodesView>, Problem> {
    let recovery_codes = factors::confirm_enrolment(&core, person.user, &body.code).await?;
    Ok(Json(RecoveryCodesView { recovery_codes }))
}
