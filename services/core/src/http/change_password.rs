use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::person::Person;
use crate::input::Checks;
use crate::passwords::Password;
use crate::{Core, resets};

/// The old and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePassword {
    /// The present password.
    #[schema(max_length = 128, format = Password)]
    password: String,
    /// 10 to 128 characters, hard to guess; taken exactly as typed.
    #[schema(min_length = 10, max_length = 128, format = Password)]
    new_password: String,
    /// The 6 digits of the authenticator, or a recovery code; needed when a second factor is enrolled.
    #[schema(max_length = 96)]
    code: Option<String>,
}

/// Changes the password
///
/// The person's other sessions end, and withdrawals rest for a while.
#[utoipa::path(
    put, path = "/v1/me/password", operation_id = "change_password", tag = "password", security(("bearer" = [])),
    request_body = ChangePassword,
    responses(
        (status = 204, description = "The new password holds."),
        (status = 403, description = "A code of the second factor is needed.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let (old, new) = (Password::new(body.password), Password::new(body.new_password));
    let mut checks = Checks::new();
    checks.take("new_password", new.check_length());
    checks.finish()?;
    resets::change(&core, person.user, person.session, old, new, body.code.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
