use axum::extract::State;
use ferrex_fault::{Fault, Kind};
use ferrex_web::{Json, Problem};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Admin, staff};

/// Which link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BeginSetUp {
    /// What stands behind the `#` of the link.
    token: String,
}

/// What goes into the authenticator app.
#[derive(Serialize, ToSchema)]
pub(super) struct EnrolmentView {
    /// The secret in base32, to type.
    secret: String,
    /// The same as an address that apps read.
    otpauth_uri: String,
    /// That address as a QR code, an SVG image.
    qr_svg: String,
}

/// Begins to set up an account
///
/// Answers a new authenticator for this link; one from an earlier call is void.
#[utoipa::path(
    post, path = "/v1/setup/begin", operation_id = "begin_set_up", tag = "setup",
    request_body = BeginSetUp,
    responses(
        (status = 200, description = "The authenticator to enrol.", body = EnrolmentView),
        (status = 403, description = "The link is not valid any more.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    Json(body): Json<BeginSetUp>,
) -> Result<Json<EnrolmentView>, Problem> {
    let enrolment = staff::begin_set_up(&admin, &body.token).await?;
    let code = QrCode::new(&enrolment.otpauth_uri).map_err(|error| {
        Problem::from(Fault::new(Kind::Internal, "admin.internal", "drawing a QR code").with_source(error))
    })?;
    let qr_svg = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    Ok(Json(EnrolmentView {
        secret: enrolment.secret,
        otpauth_uri: enrolment.otpauth_uri,
        qr_svg,
    }))
}
