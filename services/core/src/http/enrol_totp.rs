use axum::extract::State;
use axum::http::StatusCode;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::person::Person;
use crate::passwords::Password;
use crate::{Core, factors};

/// Who enrols.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolTotp {
    /// The password again.
    #[schema(max_length = 128, format = Password)]
    password: String,
    /// A code of the present authenticator, or a recovery code, when one is to be replaced.
    #[schema(max_length = 96)]
    code: Option<String>,
}

/// What goes into the authenticator app.
#[derive(Serialize, ToSchema)]
pub(super) struct TotpEnrolmentView {
    /// The secret in base32, to type.
    secret: String,
    /// The same for a QR code.
    #[schema(example = "otpauth://totp/Ferrex:anna%40example.org?secret=…&issuer=Ferrex")]
    otpauth_uri: String,
    /// Until when it can be confirmed.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Begins to enrol an authenticator
///
/// Nothing changes until it is confirmed with its first code.
#[utoipa::path(
    post, path = "/v1/me/second-factor/totp", operation_id = "enrol_totp", tag = "second factor",
    security(("bearer" = [])), request_body = EnrolTotp,
    responses(
        (status = 201, description = "To be confirmed.", body = TotpEnrolmentView),
        (status = 403, description = "A code of the present second factor is needed.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(core): State<Core>,
    person: Person,
    Json(body): Json<EnrolTotp>,
) -> Result<(StatusCode, Json<TotpEnrolmentView>), Problem> {
    let password = Password::new(body.password);
    let enrolment = factors::begin_enrolment(&core, person.user, password, body.code.as_deref()).await?;
    let view = TotpEnrolmentView {
        secret: enrolment.secret,
        otpauth_uri: enrolment.otpauth_uri,
        expires_at: enrolment.expires_at,
    };
    Ok((StatusCode::CREATED, Json(view)))
}
