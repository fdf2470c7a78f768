use ferrex_ids::{StaffId, UserId, VerificationId};
use ferrex_postgres::{Db, Error, SqlResult as _, Tx, is_unique_violation};
use ferrex_time::Timestamp;
use sqlx::Row as _;

use super::model::{LEVEL, LEVEL_VERSION};
use super::{ProviderEvent, State, Submission, Verification};

macro_rules! select_verification {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, level, state, legal_name, birth_date, country, rejected_because, decided_by, applicant,
                    applicant_version, submitted_at, decided_at
               FROM verifications ",
            $rest
        )
    };
}

/// Adds a submission; `false` when one waits or was approved.
pub(super) async fn insert(
    tx: &mut Tx,
    id: VerificationId,
    user: UserId,
    submission: &Submission,
    now: Timestamp,
) -> Result<bool, Error> {
    let result = sqlx::query(
        "INSERT INTO verifications
            (id, user_id, level, level_version, state, legal_name, birth_date, country, submitted_at)
         VALUES ($1, $2, $3, $4, 'submitted', $5, $6, $7, $8)",
    )
    .bind(id.uuid())
    .bind(user.uuid())
    .bind(LEVEL)
    .bind(LEVEL_VERSION)
    .bind(submission.legal_name.as_str())
    .bind(submission.birth_date.date())
    .bind(submission.country.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await;
    match result {
        Err(error) if is_unique_violation(&error, "verifications_one_open") => Ok(false),
        other => other.map(|_| true).doing("adding a submission"),
    }
}

pub(super) async fn find(db: &Db, id: VerificationId) -> Result<Option<Verification>, Error> {
    let query = sqlx::query_as(select_verification!("WHERE id = $1")).bind(id.uuid());
    query
        .fetch_optional(db.pool())
        .await
        .doing("reading a submission")
}

/// Whose submission it is, to lock the person before it.
pub(super) async fn lock(tx: &mut Tx, id: VerificationId) -> Result<Option<Verification>, Error> {
    let query = sqlx::query_as(select_verification!("WHERE id = $1 FOR UPDATE")).bind(id.uuid());
    query
        .fetch_optional(&mut **tx)
        .await
        .doing("locking a submission")
}

pub(super) async fn find_in_tx(tx: &mut Tx, id: VerificationId) -> Result<Option<Verification>, Error> {
    let query = sqlx::query_as(select_verification!("WHERE id = $1")).bind(id.uuid());
    query
        .fetch_optional(&mut **tx)
        .await
        .doing("reading a submission")
}

/// A person's submissions, newest first.
pub(super) async fn of_user(db: &Db, user: UserId) -> Result<Vec<Verification>, Error> {
    let query = sqlx::query_as(select_verification!(
        "WHERE user_id = $1 ORDER BY submitted_at DESC, id DESC LIMIT 50"
    ));
    query
        .bind(user.uuid())
        .fetch_all(db.pool())
        .await
        .doing("listing a person's submissions")
}

/// Whether a person submitted nothing after this one.
pub(super) async fn is_latest(tx: &mut Tx, verification: &Verification) -> Result<bool, Error> {
    let row = sqlx::query(
        "SELECT 1 FROM verifications WHERE user_id = $1 AND level = $2 AND (submitted_at, id) > ($3, $4) LIMIT 1",
    )
    .bind(verification.user_id)
    .bind(verification.level)
    .bind(verification.submitted_at)
    .bind(verification.id)
    .fetch_optional(&mut **tx)
    .await
    .doing("looking for a newer submission")?;
    Ok(row.is_none())
}

/// A page for staff, oldest first.
pub(super) async fn page(
    db: &Db,
    state: Option<State>,
    after: Option<VerificationId>,
    limit: i64,
) -> Result<Vec<Verification>, Error> {
    sqlx::query_as(select_verification!(
        "WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3"
    ))
    .bind(state)
    .bind(after.map(VerificationId::uuid))
    .bind(limit)
    .fetch_all(db.pool())
    .await
    .doing("listing submissions")
}

/// Writes a decision about a locked submission that stood as `from`.
pub(super) async fn write_decision(
    tx: &mut Tx,
    verification: &Verification,
    rejected_because: Option<&str>,
    by: Option<StaffId>,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE verifications SET state = $3, rejected_because = $4, decided_by = $5, decided_at = $6
          WHERE id = $1 AND state = $2",
    )
    .bind(verification.id)
    .bind(verification.state)
    .bind(if rejected_because.is_some() {
        State::Rejected
    } else {
        State::Approved
    })
    .bind(rejected_because)
    .bind(by.map(StaffId::uuid))
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("deciding a submission")?;
    Ok(done.rows_affected() == 1)
}

/// Remembers that a decision of the provider was heeded, and whether it takes back an approval.
pub(super) async fn note_provider(
    tx: &mut Tx,
    verification: &Verification,
    event: &ProviderEvent,
    contested: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE verifications
            SET applicant = $2, applicant_version = $3, contested_at = COALESCE($4, contested_at)
          WHERE id = $1",
    )
    .bind(verification.id)
    .bind(&event.applicant)
    .bind(i64::from(event.version))
    .bind(contested)
    .execute(&mut **tx)
    .await
    .doing("noting a provider's decision")?;
    Ok(())
}

/// When a locked person submitted last.
pub(super) async fn newest_at(tx: &mut Tx, user: UserId) -> Result<Option<Timestamp>, Error> {
    let row = sqlx::query("SELECT max(submitted_at) FROM verifications WHERE user_id = $1").bind(user.uuid());
    Ok(row
        .fetch_one(&mut **tx)
        .await
        .doing("reading the newest submission")?
        .try_get(0)?)
}
