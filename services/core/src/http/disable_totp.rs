use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::person::Person;
use crate::passwords::Password;
use crate::{Core, factors};

/// Who removes the factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DisableTotp {
    /// The password again.
    #[schema(max_length = 128, format = Password)]
    password: String,
    /// A code of the authenticator, or a recovery code.
    #[schema(max_length = 96, example = "123456")]
    code: String,
}

/// Removes the authenticator and the recovery codes
///
/// Withdrawals rest for a while.
#[utoipa::path(
    post, path = "/v1/me/second-factor/totp/disable", operation_id = "disable_totp", tag = "second factor",
    security(("bearer" = [])), request_body = DisableTotp,
    responses(
        (status = 204, description = "There is no second factor any more."),
        (status = 403, description = "There was none.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Json(body): Json<DisableTotp>,
) -> Result<StatusCode, Problem> {
    factors::disable(&core, person.user, Password::new(body.password), &body.code).await?;
    Ok(StatusCode::NO_CONTENT)
}
