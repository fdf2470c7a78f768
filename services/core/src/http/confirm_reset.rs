use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::presented;
use crate::client::Client;
use crate::input::Checks;
use crate::passwords::Password;
use crate::resets::NewPassword;
use crate::{Core, resets};

/// Either `id` and `code`, or `token`; the new password; with a second factor, a code of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmPasswordReset {
    /// `id` of the reset.
    #[schema(example = "chl_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    id: Option<String>,
    /// The 8 digits of the mail.
    #[schema(max_length = 64, example = "12345678")]
    code: Option<String>,
    /// What stands behind `token=` in the link of the mail.
    #[schema(max_length = 128)]
    token: Option<String>,
    /// 10 to 128 characters, hard to guess; taken exactly as typed.
    #[schema(min_length = 10, max_length = 128, format = Password)]
    password: String,
    /// The 6 digits of the authenticator, or a recovery code; needed when a second factor is enrolled.
    #[schema(max_length = 96)]
    second_factor_code: Option<String>,
}

/// Sets a new password
///
/// Every session of the person ends, and withdrawals rest for a while.
#[utoipa::path(
    post, path = "/v1/password-resets/confirm", operation_id = "confirm_password_reset", tag = "password",
    request_body = ConfirmPasswordReset,
    responses(
        (status = 204, description = "The new password holds."),
        (status = 403, description = "A code of the second factor is needed too.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Json(body): Json<ConfirmPasswordReset>,
) -> Result<StatusCode, Problem> {
    let mut checks = Checks::new();
    let answer = presented::read(
        &mut checks,
        body.id.as_deref(),
        body.code.as_deref(),
        body.token.as_deref(),
    );
    let password = Password::new(body.password);
    checks.take("password", password.check_length());
    let Some(presented) = answer else {
        return Err(checks.fault().into());
    };
    checks.finish()?;
    resets::confirm(
        &core,
        &client,
        NewPassword {
            presented,
            password,
            code: body.second_factor_code,
        },
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
