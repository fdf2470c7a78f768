use axum::extract::State;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sessions::Actor;
use crate::{Admin, audit};

/// What recomputing the chain found.
#[derive(Serialize, ToSchema)]
pub(super) struct VerdictView {
    /// Whether every entry is as it was written and none is missing.
    intact: bool,
    /// Entries that are good, from the first on.
    entries: i64,
    /// The first fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// Verifies the audit log
///
/// Recomputes the whole chain.
#[utoipa::path(
    get, path = "/v1/audit-verification", operation_id = "verify_audit", tag = "audit",
    security(("bearer" = [])),
    responses((status = 200, description = "What was found.", body = VerdictView))
)]
pub(super) async fn handle(State(admin): State<Admin>, _: Actor) -> Result<Json<VerdictView>, Problem> {
    let verdict = audit::verify(&admin).await?;
    let fault = verdict.broken.map(|broken| broken.to_string());
    Ok(Json(VerdictView {
        intact: fault.is_none(),
        entries: verdict.entries,
        fault,
    }))
}
