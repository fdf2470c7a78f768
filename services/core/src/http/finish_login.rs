use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::SessionTokensView;
use crate::client::Client;
use crate::{Core, sessions};

/// A log-in and its second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FinishLogin {
    /// What logging in answered.
    #[schema(max_length = 128)]
    login_token: String,
    /// The 6 digits of the authenticator, or a recovery code.
    #[schema(max_length = 96, example = "123456")]
    code: String,
}

/// Finishes a log-in with the second factor
#[utoipa::path(
    post, path = "/v1/sessions/second-factor", operation_id = "finish_login", tag = "sessions",
    request_body = FinishLogin,
    responses(
        (status = 201, description = "Logged in.", body = SessionTokensView),
        (status = 401, description = "The log-in is over, begin again.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The second factor was removed meanwhile.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Json(body): Json<FinishLogin>,
) -> Result<(StatusCode, Json<SessionTokensView>), Problem> {
    let issued = sessions::finish(&core, &client, &body.login_token, &body.code).await?;
    Ok((StatusCode::CREATED, Json(issued.into())))
}
