use ferrex_ids::UserId;
use ferrex_postgres::{Db, Error, SqlResult as _, Tx};
use ferrex_time::Timestamp;
use sqlx::Row as _;

use super::Binding;

/// Whether a person has an authenticator.
pub(crate) async fn is_enrolled(tx: &mut Tx, user: UserId) -> Result<bool, Error> {
    let row = sqlx::query("SELECT 1 FROM totp_factors WHERE user_id = $1").bind(user.uuid());
    Ok(row
        .fetch_optional(&mut **tx)
        .await
        .doing("looking for an authenticator")?
        .is_some())
}

/// The sealed secret of a person's authenticator, and since when.
pub(super) async fn factor(db: &Db, user: UserId) -> Result<Option<(Vec<u8>, Timestamp)>, Error> {
    let row = sqlx::query("SELECT secret_sealed, enrolled_at FROM totp_factors WHERE user_id = $1")
        .bind(user.uuid());
    let row = row
        .fetch_optional(db.pool())
        .await
        .doing("reading an authenticator")?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

pub(super) async fn put_factor(
    tx: &mut Tx,
    user: UserId,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO totp_factors (user_id, secret_sealed, enrolled_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET secret_sealed = excluded.secret_sealed, enrolled_at = excluded.enrolled_at",
    )
    .bind(user.uuid())
    .bind(sealed)
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("writing an authenticator")?;
    Ok(())
}

pub(super) async fn remove_factor(tx: &mut Tx, user: UserId) -> Result<bool, Error> {
    let done = sqlx::query("DELETE FROM totp_factors WHERE user_id = $1").bind(user.uuid());
    Ok(done
        .execute(&mut **tx)
        .await
        .doing("removing an authenticator")?
        .rows_affected()
        == 1)
}

pub(super) async fn put_enrolment(
    db: &Db,
    user: UserId,
    sealed: &[u8],
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO totp_enrolments (user_id, secret_sealed, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET secret_sealed = excluded.secret_sealed, expires_at = excluded.expires_at",
    )
    .bind(user.uuid())
    .bind(sealed)
    .bind(expires_at)
    .execute(db.pool())
    .await
    .doing("writing an enrolment")?;
    Ok(())
}

pub(super) async fn enrolment(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
    let row = sqlx::query("SELECT secret_sealed FROM totp_enrolments WHERE user_id = $1 AND expires_at > $2")
        .bind(user.uuid())
        .bind(now)
        .fetch_optional(&mut **tx)
        .await
        .doing("reading an enrolment")?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

pub(super) async fn remove_enrolment(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM totp_enrolments WHERE user_id = $1").bind(user.uuid());
    query.execute(&mut **tx).await.doing("removing an enrolment")?;
    Ok(())
}

/// Replaces a person's recovery codes; with none, they are gone.
pub(super) async fn put_recovery_codes(
    tx: &mut Tx,
    user: UserId,
    hashes: &[Vec<u8>],
    now: Timestamp,
) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user.uuid());
    query.execute(&mut **tx).await.doing("removing recovery codes")?;
    sqlx::query(
        "INSERT INTO recovery_codes (user_id, code_hash, created_at) SELECT $1, unnest($2::bytea[]), $3",
    )
    .bind(user.uuid())
    .bind(hashes)
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("adding recovery codes")?;
    Ok(())
}

pub(super) async fn recovery_codes_left(db: &Db, user: UserId) -> Result<i64, Error> {
    let row = sqlx::query("SELECT count(*) FROM recovery_codes WHERE user_id = $1").bind(user.uuid());
    Ok(row
        .fetch_one(db.pool())
        .await
        .doing("counting recovery codes")?
        .try_get(0)?)
}

/// Takes a recovery code out of those that are left.
pub(super) async fn take_recovery_code(tx: &mut Tx, user: UserId, hash: &[u8]) -> Result<bool, Error> {
    let done = sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2")
        .bind(user.uuid())
        .bind(hash)
        .execute(&mut **tx)
        .await
        .doing("using a recovery code")?;
    Ok(done.rows_affected() == 1)
}

/// Notes the use of a proof; `false` when it was used before.
pub(super) async fn add_use(
    tx: &mut Tx,
    user: UserId,
    proof: &[u8],
    code_hash: &[u8],
    binding: &Binding<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "INSERT INTO factor_uses (user_id, proof, code_hash, action, binding, used_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, proof) DO NOTHING",
    )
    .bind(user.uuid())
    .bind(proof)
    .bind(code_hash)
    .bind(binding.action)
    .bind(binding.payload.unwrap_or(""))
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("noting the use of a code")?;
    Ok(done.rows_affected() == 1)
}

/// How a code was used since `since`: `None` not at all, else whether it was for exactly this.
pub(super) async fn earlier_use(
    db: &Db,
    user: UserId,
    code_hash: &[u8],
    binding: &Binding<'_>,
    since: Timestamp,
) -> Result<Option<bool>, Error> {
    let rows = sqlx::query(
        "SELECT action = $3 AND binding = $4 FROM factor_uses WHERE user_id = $1 AND code_hash = $2 AND used_at > $5",
    )
    .bind(user.uuid())
    .bind(code_hash)
    .bind(binding.action)
    .bind(binding.payload.unwrap_or(""))
    .bind(since)
    .fetch_all(db.pool())
    .await
    .doing("looking for an earlier use of a code")?;
    let mut found = None;
    for row in rows {
        let same: bool = row.try_get(0)?;
        found = Some(found.unwrap_or(false) || (same && binding.payload.is_some()));
    }
    Ok(found)
}
