use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::ChallengeId;
use ferrex_web::{Json, Path, Problem};

use super::views::CodeSentView;
use crate::client::Client;
use crate::{Core, registrations};

/// Sends the mail of a registration again
///
/// It has a new code and a new link; the old ones are worthless.
#[utoipa::path(
    post, path = "/v1/registrations/{id}/resend", operation_id = "resend_registration", tag = "registration",
    params(("id" = String, Path, pattern = "^chl_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "`id` of the registration", example = "chl_01kb4w2v7tfz3vqk9m5h8e2xyz")),
    responses(
        (status = 202, description = "A mail is on its way.", body = CodeSentView),
        (status = 409, description = "The user name was taken meanwhile.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    client: Client,
    Path(id): Path<ChallengeId>,
) -> Result<(StatusCode, Json<CodeSentView>), Problem> {
    let pending = registrations::resend(&core, &client, id).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(CodeSentView {
            id: pending.id,
            expires_at: pending.expires_at,
        }),
    ))
}
