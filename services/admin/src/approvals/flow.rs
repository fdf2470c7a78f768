use ferrex_contracts::payment::{
    DecideWithdrawal, WithdrawalApprovalClosed, WithdrawalAwaitsApproval, WithdrawalView,
};
use ferrex_contracts::{Decision, StaffAction};
use ferrex_fault::{Fault, Kind};
use ferrex_ids::WithdrawalId;
use ferrex_postgres::Tx;
use ferrex_time::Timestamp;
use serde_json::{Value, json};

use super::{Approval, Error, State, store};
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// Takes payment's word that a withdrawal waits.
pub async fn open(tx: &mut Tx, event: &WithdrawalAwaitsApproval) -> Result<(), Fault> {
    Ok(store::open(tx, event).await?)
}

/// Takes payment's word that a withdrawal waits no longer.
pub async fn close(tx: &mut Tx, event: &WithdrawalApprovalClosed, at: Timestamp) -> Result<(), Fault> {
    let state = State::of_result(&event.result).ok_or_else(|| {
        let detail = format!(
            "an approval was closed with the unknown result {:?}",
            event.result
        );
        Fault::new(Kind::Invalid, "admin.approval.result_unknown", detail)
    })?;
    Ok(store::close(tx, event.withdrawal, state, at).await?)
}

/// One of them.
pub async fn get(admin: &Admin, withdrawal: WithdrawalId) -> Result<Approval, Fault> {
    Ok(store::find(&admin.db, withdrawal).await?.ok_or(Error::NotFound)?)
}

/// Those in a state, the newest first, one more than `limit`.
pub async fn list(
    admin: &Admin,
    state: State,
    after: Option<WithdrawalId>,
    limit: u16,
) -> Result<Vec<Approval>, Fault> {
    Ok(store::list(&admin.db, state, after, i64::from(limit) + 1).await?)
}

/// Decides a withdrawal as somebody who looked at the content with this hash. Payment checks everything again and may
/// refuse; what it answers is the truth.
pub async fn decide(
    admin: &Admin,
    actor: &Actor,
    withdrawal: WithdrawalId,
    decision: Decision,
    seen_hash: String,
    reason: String,
) -> Result<WithdrawalView, Fault> {
    let approval = get(admin, withdrawal).await?;
    approval.decidable(&seen_hash)?;
    let (action, state) = match decision {
        Decision::Approve => ("withdrawal.approve", State::Approved),
        Decision::Reject => ("withdrawal.reject", State::Rejected),
    };
    let before = json!({ "state": approval.state, "content": approval.content });
    let what = Act {
        action,
        subject: withdrawal.to_string(),
        reason: Some(reason.clone()),
        before: Some(before),
    };
    let by = StaffAction {
        staff: actor.staff,
        reason,
    };
    let request = DecideWithdrawal {
        withdrawal,
        decision,
        content_hash: seen_hash,
        by,
    };
    let view = act(admin, actor, what, withdrawal.to_string(), request, after).await?;
    // The event will say the same; the list is right at once.
    let mut tx = admin.db.begin().await?;
    store::close(&mut tx, withdrawal, state, admin.now()).await?;
    admin.commit(tx).await?;
    Ok(view)
}

fn after(view: &WithdrawalView) -> Value {
    json!({ "state": view.state })
}
