use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::StaffView;
use crate::Admin;
use crate::staff::{self, Password, SetUp};

/// The account to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FinishSetUp {
    /// What stands behind the `#` of the link.
    token: String,
    /// What to log in with: 2 to 32 of a-z, 0-9, `.`, `-` and `_`.
    #[schema(min_length = 2, max_length = 32, example = "olga")]
    name: String,
    /// At least 12 characters that are not easily guessed.
    #[schema(min_length = 12, max_length = 128, format = Password)]
    password: String,
    /// The 6 digits the authenticator shows now.
    #[schema(example = "123456")]
    code: String,
}

/// Ends the set-up of an account
///
/// Uses up the link.
#[utoipa::path(
    post, path = "/v1/setup", operation_id = "set_up", tag = "setup",
    request_body = FinishSetUp,
    responses(
        (status = 201, description = "The account is there; log in with it.", body = StaffView),
        (status = 403, description = "The link is not valid any more.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or the set-up was not begun.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    Json(body): Json<FinishSetUp>,
) -> Result<(StatusCode, Json<StaffView>), Problem> {
    let FinishSetUp {
        token,
        name,
        password,
        code,
    } = body;
    let staff = staff::set_up(
        &admin,
        SetUp {
            token,
            name,
            password: Password::new(password),
            code,
        },
    )
    .await?;
    Ok((StatusCode::CREATED, Json(staff.into())))
}
