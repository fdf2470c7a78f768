use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::{StaffId, StaffSessionId};
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Admin;
use crate::sessions::{self, Client, LogIn};
use crate::staff::Password;

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSession {
    /// The name.
    #[schema(max_length = 32, example = "olga")]
    name: String,
    /// The password, exactly as it was chosen.
    #[schema(max_length = 128, format = Password)]
    password: String,
    /// The 6 digits the authenticator shows now; they are good once.
    #[schema(example = "123456")]
    code: String,
}

/// A new session.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedInView {
    /// Send it as `Authorization: Bearer …`; it is shown only here.
    token: String,
    /// Which session.
    #[schema(value_type = String)]
    session: StaffSessionId,
    /// Who.
    #[schema(value_type = String)]
    staff: StaffId,
    /// Until when at most.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Logs in
#[utoipa::path(
    post, path = "/v1/sessions", operation_id = "create_session", tag = "sessions",
    request_body = CreateSession,
    responses(
        (status = 201, description = "Logged in.", body = LoggedInView),
        (status = 401, description = "Name, password or code is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    client: Client,
    Json(body): Json<CreateSession>,
) -> Result<(StatusCode, Json<LoggedInView>), Problem> {
    let CreateSession { name, password, code } = body;
    let log_in = LogIn {
        name,
        password: Password::new(password),
        code,
    };
    let session = sessions::log_in(&admin, &client, log_in).await?;
    let view = LoggedInView {
        token: session.token.reveal().to_owned(),
        session: session.session,
        staff: session.staff,
        expires_at: session.expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
