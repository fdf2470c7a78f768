use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::CodeSentView;
use crate::Core;
use crate::client::Client;
use crate::input::Checks;
use crate::passwords::Password;
use crate::registrations::{self, Registration};
use crate::users::{Email, UserName};

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateRegistration {
    /// Where the code goes.
    #[schema(max_length = 254, format = Email, example = "anna@example.org")]
    email: String,
    /// 3 to 30 of a-z, 0-9, `_` and `.`; capital letters are folded.
    #[schema(min_length = 3, max_length = 30, example = "anna.s")]
    user_name: String,
    /// 10 to 128 characters, hard to guess; taken exactly as typed.
    #[schema(min_length = 10, max_length = 128, format = Password)]
    password: String,
}

/// Asks for an account
///
/// A mail with a code and a link goes to the address. The answer is the same when the address has an account already; the
/// mail says so then.
#[utoipa::path(
    post, path = "/v1/registrations", operation_id = "create_registration", tag = "registration",
    request_body = CreateRegistration,
    responses(
        (status = 202, description = "A mail is on its way.", body = CodeSentView),
        (status = 409, description = "The user name is taken.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Json(body): Json<CreateRegistration>,
) -> Result<(StatusCode, Json<CodeSentView>), Problem> {
    let mut checks = Checks::new();
    let email = checks.take("email", Email::parse(&body.email));
    let user_name = checks.take("user_name", UserName::parse(&body.user_name));
    let password = Password::new(body.password);
    checks.take("password", password.check_length());
    let (Some(email), Some(user_name)) = (email, user_name) else {
        return Err(checks.fault().into());
    };
    checks.finish()?;
    let pending = registrations::register(
        &core,
        &client,
        Registration {
            email,
            user_name,
            password,
        },
    )
    .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(CodeSentView {
            id: pending.id,
            expires_at: pending.expires_at,
        }),
    ))
}
