use axum::extract::State;
use axum::http::StatusCode;
use ferrex_ids::VerificationId;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::person::Person;
use crate::Core;
use crate::input::Checks;
use crate::verifications::{
    self, BirthDate, Country, LegalName, State as Standing, Submission, Verification,
};

/// Who the person is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitVerification {
    /// Name as in the document.
    #[schema(min_length = 2, max_length = 100, example = "Anna Smith")]
    legal_name: String,
    /// Date of birth; 18 years or more ago.
    #[schema(format = Date, example = "1990-05-17")]
    birth_date: String,
    /// ISO 3166-1 alpha-2.
    #[schema(min_length = 2, max_length = 2, example = "DE")]
    country: String,
}

/// Where a submission stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerificationStateView {
    /// It waits for a decision.
    Submitted,
    /// The level was granted.
    Approved,
    /// It was refused with a reason; a new one can be submitted.
    Rejected,
}

/// A submission for an identity level.
#[derive(Serialize, ToSchema)]
pub(super) struct VerificationView {
    /// Names it.
    #[schema(value_type = String, example = "ver_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    id: VerificationId,
    /// For which level.
    level: u8,
    /// Where it stands.
    state: VerificationStateView,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it was submitted.
    #[schema(value_type = String, format = DateTime)]
    submitted_at: Timestamp,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
}

impl From<Verification> for VerificationView {
    fn from(row: Verification) -> Self {
        Self {
            id: row.id(),
            level: u8::try_from(row.level).unwrap_or(0),
            state: match row.state {
                Standing::Submitted => VerificationStateView::Submitted,
                Standing::Approved => VerificationStateView::Approved,
                Standing::Rejected => VerificationStateView::Rejected,
            },
            reason: row.rejected_because,
            submitted_at: row.submitted_at,
            decided_at: row.decided_at,
        }
    }
}

/// Submits the person's identity for level 1
#[utoipa::path(
    post, path = "/v1/me/verifications", operation_id = "submit_verification", tag = "verification",
    security(("bearer" = [])), request_body = SubmitVerification,
    responses(
        (status = 201, description = "It waits for a decision.", body = VerificationView),
        (status = 409, description = "One waits already, or the level is reached.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Json(body): Json<SubmitVerification>,
) -> Result<(StatusCode, Json<VerificationView>), Problem> {
    let mut checks = Checks::new();
    let legal_name = checks.take("legal_name", LegalName::parse(&body.legal_name));
    let birth_date = checks.take(
        "birth_date",
        BirthDate::parse(&body.birth_date, core.now().date_naive()),
    );
    let country = checks.take("country", Country::parse(&body.country));
    let (Some(legal_name), Some(birth_date), Some(country)) = (legal_name, birth_date, country) else {
        return Err(checks.fault().into());
    };
    let submission = Submission {
        legal_name,
        birth_date,
        country,
    };
    let row = verifications::submit(&core, person.user, submission).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}
