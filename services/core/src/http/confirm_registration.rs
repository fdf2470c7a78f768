use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::UserId;
use ferrex_web::{Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::presented;
use crate::client::Client;
use crate::input::Checks;
use crate::{Core, registrations};

/// Either `id` and `code`, or `token`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmRegistration {
    /// `id` of the registration.
    #[schema(example = "chl_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    id: Option<String>,
    /// The 8 digits of the mail.
    #[schema(max_length = 64, example = "12345678")]
    code: Option<String>,
    /// What stands behind `token=` in the link of the mail.
    #[schema(max_length = 128)]
    token: Option<String>,
}

/// A new account.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountView {
    /// Names the person.
    #[schema(value_type = String, example = "usr_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    user_id: UserId,
    /// The chosen name.
    user_name: String,
    /// The confirmed address.
    email: String,
}

/// Confirms the address
///
/// From now on the person can log in.
#[utoipa::path(
    post, path = "/v1/registrations/confirm", operation_id = "confirm_registration", tag = "registration",
    request_body = ConfirmRegistration,
    responses(
        (status = 201, description = "There is an account.", body = AccountView),
        (status = 409, description = "The user name was taken meanwhile.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Json(body): Json<ConfirmRegistration>,
) -> Result<(StatusCode, Json<AccountView>), Problem> {
    let mut checks = Checks::new();
    let answer = presented::read(
        &mut checks,
        body.id.as_deref(),
        body.code.as_deref(),
        body.token.as_deref(),
    );
    let Some(answer) = answer else {
        return Err(checks.fault().into());
    };
    let account = registrations::confirm(&core, &client, &answer).await?;
    let view = AccountView {
        user_id: account.user,
        user_name: account.user_name,
        email: account.email,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
