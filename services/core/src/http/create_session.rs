use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::views::SessionTokensView;
use crate::Core;
use crate::client::Client;
use crate::input::Checks;
use crate::passwords::Password;
use crate::sessions::{self, LoggedIn};
use crate::users::Email;

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSession {
    /// The address.
    #[schema(max_length = 254, format = Email, example = "anna@example.org")]
    email: String,
    /// The password, exactly as it was chosen.
    #[schema(max_length = 128, format = Password)]
    password: String,
}

/// The password was right, and the second factor is owed.
#[derive(Serialize, ToSchema)]
pub(super) struct FactorOwedView {
    /// Send it with the code to `POST /v1/sessions/second-factor`.
    login_token: String,
    /// When it is over.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Logs in
///
/// With a second factor the answer is 202 and the log-in is finished with a code. Wrong log-ins cost a delay that grows.
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "create_session", tag = "sessions",
    request_body = CreateSession,
    responses(
        (status = 201, description = "Logged in.", body = SessionTokensView),
        (status = 202, description = "The second factor is owed.", body = FactorOwedView),
        (status = 401, description = "The address or the password is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Json(body): Json<CreateSession>,
) -> Result<Response, Problem> {
    let mut checks = Checks::new();
    let Some(email) = checks.take("email", Email::parse(&body.email)) else {
        return Err(checks.fault().into());
    };
    Ok(
        match sessions::log_in(&core, &client, &email, Password::new(body.password)).await? {
            LoggedIn::Session(issued) => {
                (StatusCode::CREATED, Json(SessionTokensView::from(issued))).into_response()
            }
            LoggedIn::FactorOwed { token, expires_at } => {
                let view = FactorOwedView {
                    login_token: token.reveal().to_owned(),
                    expires_at,
                };
                (StatusCode::ACCEPTED, Json(view)).into_response()
            }
        },
    )
}
