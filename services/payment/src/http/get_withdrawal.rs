use axum::extract::State;
use ferrex_flows::HistoryEntry;
use ferrex_ids::WithdrawalId;
use ferrex_time::Timestamp;
use ferrex_web::{Caller, Json, Path, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::{WithdrawalView, own_withdrawal};
use crate::Payment;
use crate::withdrawal::flow::WithdrawalFlow;

/// A withdrawal with all that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WithdrawalDetails {
    /// The withdrawal.
    #[serde(flatten)]
    withdrawal: WithdrawalView,
    /// What happened, oldest first.
    timeline: Vec<WithdrawalStep>,
}

/// Something that happened to a withdrawal.
#[derive(Debug, Serialize, ToSchema)]
struct WithdrawalStep {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who: `you`, `staff` or `system`.
    by: &'static str,
    /// The status from then on.
    status: String,
    /// What it waited for from then on.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
}

/// The steps that changed what a person sees.
fn timeline(history: Vec<HistoryEntry<WithdrawalFlow>>) -> Vec<WithdrawalStep> {
    let mut steps: Vec<WithdrawalStep> = Vec::new();
    for entry in history.into_iter().filter(|entry| entry.input.is_some()) {
        let seen = steps
            .last()
            .is_some_and(|last| last.status == entry.label && last.waiting_for == entry.waiting_for);
        if !seen {
            let by = match entry.actor.split('_').next() {
                Some("usr") => "you",
                Some("stf") => "staff",
                _ => "system",
            };
            steps.push(WithdrawalStep {
                at: entry.at,
                by,
                status: entry.label,
                waiting_for: entry.waiting_for,
            });
        }
    }
    steps
}

/// Shows one of your withdrawals
#[utoipa::path(get, path = "/v1/withdrawals/{id}", tag = "withdrawals", operation_id = "get_withdrawal",
    security(("bearer" = [])), params(("id" = String, Path, pattern = "^wdr_[0-7][0-9a-hjkmnp-tv-z]{25}$", description = "The withdrawal's id.")),
    responses((status = 200, description = "The withdrawal.", body = WithdrawalDetails)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Path(id): Path<WithdrawalId>,
) -> Result<Json<WithdrawalDetails>, Problem> {
    let withdrawal = own_withdrawal(&payment, caller.user, id).await?;
    let timeline = timeline(payment.withdrawals.history(id.cast()).await?);
    Ok(Json(WithdrawalDetails { withdrawal, timeline }))
}
