use ferrex_contracts::core::{
    UserLevelChanged, VerificationPage, VerificationState, VerificationSubmitted, VerificationView,
};
use ferrex_contracts::{Decision, StaffAction};
use ferrex_fault::Fault;
use ferrex_ids::{StaffId, UserId, VerificationId};
use ferrex_postgres::Tx;
use ferrex_time::{Duration, Timestamp};

use super::model::LEVEL;
use super::{Error, ProviderEvent, Ruling, State, Submission, Verdict, Verification, store};
use crate::{Core, throttle, users};

const REASON_CHARS_MAX: usize = 500;

fn level(value: i16) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

impl From<State> for VerificationState {
    fn from(state: State) -> Self {
        match state {
            State::Submitted => Self::Submitted,
            State::Approved => Self::Approved,
            State::Rejected => Self::Rejected,
        }
    }
}

impl From<Verification> for VerificationView {
    fn from(row: Verification) -> Self {
        Self {
            verification: row.id(),
            user: row.user(),
            level: level(row.level),
            state: row.state.into(),
            legal_name: row.legal_name,
            birth_date: row.birth_date.format("%Y-%m-%d").to_string(),
            country: row.country,
            rejected_because: row.rejected_because,
            submitted_at: row.submitted_at,
            decided_at: row.decided_at,
        }
    }
}

/// Submits a person's identity for level 1.
pub async fn submit(core: &Core, user: UserId, submission: Submission) -> Result<Verification, Fault> {
    const WHAT: &str = "too many submissions";
    let now = core.now();
    let limit = core.config.limits.verifications_per_user;
    let attempt = throttle::take(
        &core.db,
        &core.keys,
        now,
        "verification",
        &user.to_string(),
        limit,
        WHAT,
    )
    .await??;
    let mut tx = core.db.begin().await?;
    let person = users::lock(&mut tx, user).await?.ok_or(users::Error::NotFound)?;
    let verification: VerificationId = core.id();
    // Which submission is the latest must not depend on whose clock is ahead.
    let newest = store::newest_at(&mut tx, user).await?;
    let now = newest.map_or(now, |newest| now.max(newest + Duration::microseconds(1)));
    let refused = if person.level >= LEVEL {
        Some(Error::Reached)
    } else if store::insert(&mut tx, verification, user, &submission, now).await? {
        None
    } else {
        Some(Error::Waiting)
    };
    if let Some(refused) = refused {
        drop(tx);
        throttle::give_back(&core.db, &attempt).await?;
        return Err(refused.into());
    }
    let event = VerificationSubmitted {
        verification,
        user,
        level: level(LEVEL),
    };
    core.publish(&mut tx, verification, now, &event).await?;
    core.commit(tx).await?;
    get(core, verification).await
}

/// A person's own submissions, newest first.
pub async fn own(core: &Core, user: UserId) -> Result<Vec<Verification>, Fault> {
    Ok(store::of_user(&core.db, user).await?)
}

/// One submission.
pub async fn get(core: &Core, verification: VerificationId) -> Result<Verification, Fault> {
    Ok(store::find(&core.db, verification)
        .await?
        .ok_or(Error::NotFound)?)
}

/// A page of submissions for staff, oldest first.
pub async fn list(
    core: &Core,
    state: Option<VerificationState>,
    cursor: Option<&str>,
    limit: u16,
) -> Result<VerificationPage, Fault> {
    if !(1..=100).contains(&limit) {
        return Err(users::Error::Page {
            field: "limit",
            message: "must be between 1 and 100",
        }
        .into());
    }
    let after = cursor
        .map(str::parse)
        .transpose()
        .map_err(|_| users::Error::Page {
            field: "cursor",
            message: "must be the `next_cursor` of a page",
        })?;
    let state = state.map(|state| match state {
        VerificationState::Submitted => State::Submitted,
        VerificationState::Approved => State::Approved,
        VerificationState::Rejected => State::Rejected,
    });
    let mut rows = store::page(&core.db, state, after, i64::from(limit) + 1).await?;
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id().to_string());
    Ok(VerificationPage {
        items: rows.into_iter().map(VerificationView::from).collect(),
        next_cursor,
    })
}

/// Decides as a member of staff. The same decision of the same person again is answered alike; another is a conflict (H094).
pub async fn decide(
    core: &Core,
    verification: VerificationId,
    decision: Decision,
    by: &StaffAction,
) -> Result<Verification, Fault> {
    let reason = by.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(Fault::invalid_field(
            "core.input.invalid",
            "reason",
            "give a reason of 1 to 500 characters",
        ));
    }
    let now = core.now();
    let mut tx = core.db.begin().await?;
    let row = lock_with_user(&mut tx, verification)
        .await?
        .ok_or(Error::NotFound)?;
    let wanted = match decision {
        Decision::Approve => State::Approved,
        Decision::Reject => State::Rejected,
    };
    if row.state == wanted && row.decided_by == Some(by.staff.uuid()) {
        return Ok(row);
    }
    if row.state != State::Submitted {
        return Err(Error::Decided.into());
    }
    let rejected_because = (wanted == State::Rejected).then_some(reason);
    settle(core, &mut tx, &row, rejected_because, Some(by.staff), now).await?;
    core.commit(tx).await?;
    tracing::info!(%verification, staff = %by.staff, ?decision, "submission decided");
    get(core, verification).await
}

/// Takes what the identity provider says, in the transaction of its message.
pub async fn provider_says(core: &Core, tx: &mut Tx, event: &ProviderEvent) -> Result<Ruling, Fault> {
    let now = core.now();
    let found = lock_with_user(tx, event.verification).await?;
    // Our own row may not be committed yet (F105): the message is tried again, and parked when it never matches.
    let row = found.ok_or_else(|| Error::Early(event.verification.to_string()))?;
    let ruling = row.standing(store::is_latest(tx, &row).await?).judge(event);
    let verification = row.id();
    match (ruling, &event.verdict) {
        (Ruling::Approve, _) => settle(core, tx, &row, None, None, now).await?,
        (Ruling::Reject, Verdict::Rejected(reason)) => {
            settle(core, tx, &row, Some(reason), None, now).await?;
        }
        (Ruling::Contest, _) => {
            tracing::warn!(%verification, "the identity provider takes back an approval");
        }
        _ => {}
    }
    if ruling == Ruling::Ignore {
        tracing::info!(%verification, "a stale decision of the identity provider was ignored");
    } else {
        let contested = (ruling == Ruling::Contest).then_some(now);
        store::note_provider(tx, &row, event, contested).await?;
    }
    Ok(ruling)
}

/// Locks a submission, after the person it belongs to.
async fn lock_with_user(tx: &mut Tx, verification: VerificationId) -> Result<Option<Verification>, Fault> {
    let Some(row) = store::find_in_tx(tx, verification).await? else {
        return Ok(None);
    };
    users::lock(tx, row.user()).await?;
    Ok(store::lock(tx, verification).await?)
}

async fn settle(
    core: &Core,
    tx: &mut Tx,
    row: &Verification,
    rejected_because: Option<&str>,
    by: Option<StaffId>,
    now: Timestamp,
) -> Result<(), Fault> {
    if !store::write_decision(tx, row, rejected_because, by, now).await? {
        return Err(Error::Decided.into());
    }
    let user = row.user();
    if rejected_because.is_none() {
        users::raise_level(tx, user, row.level).await?;
    }
    let version = users::bump(tx, user).await?;
    let person = users::lock(tx, user).await?.ok_or(users::Error::NotFound)?;
    let event = UserLevelChanged {
        user,
        level: person.level(),
        rejected_because: rejected_because.map(str::to_owned),
        version,
    };
    core.publish(tx, user, now, &event).await
}
