use axum::extract::State;
use ferrex_ids::{AuditEntryId, StaffId};
use ferrex_time::Timestamp;
use ferrex_web::{Json, Page, PageQuery, Problem, Query};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Admin;
use crate::audit::{self, Entry, Outcome};
use crate::sessions::Actor;

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditEntryView {
    /// Its place in the chain.
    sequence: i64,
    /// Its name.
    #[schema(value_type = String)]
    id: AuditEntryId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who; absent for the system or a stranger.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    actor: Option<StaffId>,
    /// The name of who.
    actor_name: String,
    /// What.
    #[schema(example = "verification.approve")]
    action: String,
    /// To what.
    subject: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The HTTP request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// What became of it.
    outcome: Outcome,
    /// The entry of the attempt whose outcome this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    attempt: Option<AuditEntryId>,
    /// The subject before, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// The subject after, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl From<Entry> for AuditEntryView {
    fn from(entry: Entry) -> Self {
        let content = entry.content;
        Self {
            sequence: entry.sequence,
            id: entry.id,
            at: entry.at,
            actor: content.actor,
            actor_name: content.actor_name,
            action: content.action,
            subject: content.subject,
            reason: content.reason,
            request_id: content.request_id,
            outcome: content.outcome,
            attempt: content.attempt,
            before: content.before,
            after: content.after,
        }
    }
}

/// Lists the audit log
#[utoipa::path(
    get, path = "/v1/audit-entries", operation_id = "list_audit_entries", tag = "audit",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "The newest first.", body = Page<AuditEntryView>))
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    _: Actor,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<AuditEntryView>>, Problem> {
    let limit = query.limit()?;
    let rows = audit::list(&admin, query.after()?, limit + 1).await?;
    Ok(Json(Page::from_overfull(
        rows,
        limit,
        |row| row.sequence,
        AuditEntryView::from,
    )))
}
