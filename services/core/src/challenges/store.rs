use ferrex_ids::{ChallengeId, UserId};
use ferrex_postgres::{Error, SqlResult as _, Tx};
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::{Challenge, Purpose};

macro_rules! select_challenge {
    ($rest:literal) => {
        concat!(
            "SELECT id, purpose, email_key, user_id, decoy, code_hash, wrong_tries, expires_at, consumed_at, voided_at
               FROM challenges ",
            $rest
        )
    };
}

/// Locks a challenge.
pub(crate) async fn lock_by_id(tx: &mut Tx, id: ChallengeId) -> Result<Option<Challenge>, Error> {
    let query = sqlx::query_as(select_challenge!("WHERE id = $1 FOR UPDATE")).bind(id.uuid());
    query.fetch_optional(&mut **tx).await.doing("locking a challenge")
}

/// Locks the challenge of a link.
pub(super) async fn lock_by_token(tx: &mut Tx, token_hash: &[u8]) -> Result<Option<Challenge>, Error> {
    let query = sqlx::query_as(select_challenge!("WHERE token_hash = $1 FOR UPDATE")).bind(token_hash);
    query
        .fetch_optional(&mut **tx)
        .await
        .doing("locking the challenge of a link")
}

/// What a new challenge stores.
pub(super) struct Row<'a> {
    pub id: ChallengeId,
    pub purpose: Purpose,
    pub email_key: &'a str,
    pub user: Option<UserId>,
    pub decoy: bool,
    pub code_hash: Vec<u8>,
    pub token_hash: Vec<u8>,
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

pub(super) async fn insert(tx: &mut Tx, row: Row<'_>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO challenges
            (id, purpose, email_key, user_id, decoy, code_hash, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.id.uuid())
    .bind(row.purpose.as_str())
    .bind(row.email_key)
    .bind(row.user.map(UserId::uuid))
    .bind(row.decoy)
    .bind(row.code_hash)
    .bind(row.token_hash)
    .bind(row.now)
    .bind(row.expires_at)
    .execute(&mut **tx)
    .await
    .doing("adding a challenge")?;
    Ok(())
}

pub(super) async fn replace_code(
    tx: &mut Tx,
    id: Uuid,
    code_hash: Vec<u8>,
    token_hash: Vec<u8>,
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE challenges SET code_hash = $2, token_hash = $3, expires_at = $4, wrong_tries = 0, sent = sent + 1
          WHERE id = $1",
    )
    .bind(id)
    .bind(code_hash)
    .bind(token_hash)
    .bind(expires_at)
    .execute(&mut **tx)
    .await
    .doing("replacing the code of a challenge")?;
    Ok(())
}

pub(super) async fn count_wrong(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    sqlx::query("UPDATE challenges SET wrong_tries = LEAST(wrong_tries + 1, 100) WHERE id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await
        .doing("counting a wrong code")?;
    Ok(())
}

/// Marks a locked challenge as used.
pub(crate) async fn consume(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), Error> {
    sqlx::query("UPDATE challenges SET consumed_at = $2 WHERE id = $1 AND consumed_at IS NULL")
        .bind(id)
        .bind(now)
        .execute(&mut **tx)
        .await
        .doing("using up a challenge")?;
    Ok(())
}

/// Makes the open challenges of an address for a purpose worthless.
pub(crate) async fn void_open(
    tx: &mut Tx,
    purpose: Purpose,
    email_key: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE challenges SET voided_at = $3
          WHERE email_key = $1 AND purpose = $2 AND consumed_at IS NULL AND voided_at IS NULL",
    )
    .bind(email_key)
    .bind(purpose.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("voiding challenges")?;
    Ok(())
}
