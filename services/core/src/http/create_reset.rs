use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::CodeSentView;
use crate::client::Client;
use crate::input::Checks;
use crate::users::Email;
use crate::{Core, resets};

/// Who lost the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreatePasswordReset {
    /// The address of the account.
    #[schema(max_length = 254, format = Email, example = "anna@example.org")]
    email: String,
}

/// Asks to choose a new password
///
/// A mail with a code and a link goes to the address. The answer is the same when the address has no account; the mail says
/// so then. Asking again makes earlier codes worthless.
#[utoipa::path(
    post, path = "/v1/password-resets", operation_id = "create_password_reset", tag = "password",
    request_body = CreatePasswordReset,
    responses((status = 202, description = "A mail is on its way.", body = CodeSentView))
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Json(body): Json<CreatePasswordReset>,
) -> Result<(StatusCode, Json<CodeSentView>), Problem> {
    let mut checks = Checks::new();
    let Some(email) = checks.take("email", Email::parse(&body.email)) else {
        return Err(checks.fault().into());
    };
    let requested = resets::request(&core, &client, &email).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(CodeSentView {
            id: requested.id,
            expires_at: requested.expires_at,
        }),
    ))
}
