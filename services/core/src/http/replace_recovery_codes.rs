use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::person::Person;
use super::views::RecoveryCodesView;
use crate::{Core, factors};

/// Who wants new recovery codes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplaceRecoveryCodes {
    /// A code of the authenticator, or a recovery code.
    #[schema(max_length = 96, example = "123456")]
    code: String,
}

/// Replaces the recovery codes
///
/// The old ones are worthless; the new ones are shown only now.
#[utoipa::path(
    post, path = "/v1/me/second-factor/recovery-codes", operation_id = "replace_recovery_codes", tag = "second factor",
    security(("bearer" = [])), request_body = ReplaceRecoveryCodes,
    responses(
        (status = 200, description = "New codes.", body = RecoveryCodesView),
        (status = 403, description = "No second factor is enrolled.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Json(body): Json<ReplaceRecoveryCodes>,
) -> Result<Json<RecoveryCodesView>, Problem> {
    let recovery_codes = factors::replace_recovery_codes(&core, person.user, &body.code).await?;
    Ok(Json(RecoveryCodesView { recovery_codes }))
}
