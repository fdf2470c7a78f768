use ferrex_ids::{StaffId, UserId};
use ferrex_postgres::{Db, Error, SqlResult as _, Tx};
use ferrex_time::Timestamp;
use sqlx::Row as _;

use super::{Email, User, UserName};

macro_rules! select_user {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.user_name, u.email, u.email_key, u.level, u.frozen_at, u.frozen_because, u.version, u.created_at,
                    EXISTS (SELECT 1 FROM totp_factors f WHERE f.user_id = u.id) AS second_factor
               FROM users u ",
            $rest
        )
    };
}

/// Finds a person.
pub(crate) async fn find_by_id(db: &Db, user: UserId) -> Result<Option<User>, Error> {
    let query = sqlx::query_as(select_user!("WHERE u.id = $1")).bind(user.uuid());
    query.fetch_optional(db.pool()).await.doing("reading a user")
}

/// Finds a person by folded address.
pub(crate) async fn find_by_email(db: &Db, email_key: &str) -> Result<Option<User>, Error> {
    let query = sqlx::query_as(select_user!("WHERE u.email_key = $1")).bind(email_key);
    query
        .fetch_optional(db.pool())
        .await
        .doing("reading a user by address")
}

/// Finds a person by folded user name.
pub(crate) async fn find_by_name(db: &Db, name: &str) -> Result<Option<User>, Error> {
    let query = sqlx::query_as(select_user!("WHERE u.user_name = $1")).bind(name);
    query
        .fetch_optional(db.pool())
        .await
        .doing("reading a user by name")
}

/// Locks a person's record until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx, user: UserId) -> Result<Option<User>, Error> {
    let query = sqlx::query_as(select_user!("WHERE u.id = $1 FOR UPDATE OF u")).bind(user.uuid());
    query.fetch_optional(&mut **tx).await.doing("locking a user")
}

/// A page of persons, newest first, after `after`; `search` is part of a name or address.
pub(crate) async fn page(
    db: &Db,
    search: Option<&str>,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<User>, Error> {
    let pattern = search.map(|text| {
        let escaped = text
            .to_lowercase()
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        format!("%{escaped}%")
    });
    sqlx::query_as(select_user!(
        "WHERE ($1::uuid IS NULL OR u.id < $1) AND ($2::text IS NULL OR u.user_name LIKE $2 OR u.email_key LIKE $2)
         ORDER BY u.id DESC LIMIT $3"
    ))
    .bind(after.map(UserId::uuid))
    .bind(pattern)
    .bind(limit)
    .fetch_all(db.pool())
    .await
    .doing("listing users")
}

/// The hash of a person's password.
pub(crate) async fn password_hash(db: &Db, user: UserId) -> Result<Option<String>, Error> {
    let row = sqlx::query("SELECT password_hash FROM users WHERE id = $1").bind(user.uuid());
    let row = row
        .fetch_optional(db.pool())
        .await
        .doing("reading a password hash")?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Writes a new password hash.
pub(crate) async fn set_password(tx: &mut Tx, user: UserId, hash: &str) -> Result<(), Error> {
    sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
        .bind(user.uuid())
        .bind(hash)
        .execute(&mut **tx)
        .await
        .doing("writing a password hash")?;
    Ok(())
}

/// Raises the version of a locked record and gives the new one.
pub(crate) async fn bump(tx: &mut Tx, user: UserId) -> Result<u64, Error> {
    let row = sqlx::query("UPDATE users SET version = version + 1 WHERE id = $1 RETURNING version")
        .bind(user.uuid())
        .fetch_one(&mut **tx)
        .await
        .doing("raising a user's version")?;
    let version: i64 = row.try_get(0)?;
    Ok(u64::try_from(version).unwrap_or(0))
}

/// Raises a person's level; never lowers it.
pub(crate) async fn raise_level(tx: &mut Tx, user: UserId, level: i16) -> Result<(), Error> {
    sqlx::query("UPDATE users SET level = GREATEST(level, $2) WHERE id = $1")
        .bind(user.uuid())
        .bind(level)
        .execute(&mut **tx)
        .await
        .doing("raising a user's level")?;
    Ok(())
}

/// Freezes, or unfreezes when `freeze` is none.
pub(crate) async fn write_freeze(
    tx: &mut Tx,
    user: UserId,
    freeze: Option<(Timestamp, StaffId, &str)>,
) -> Result<(), Error> {
    let (at, by, because) = freeze.map_or((None, None, None), |(at, by, because)| {
        (Some(at), Some(by.uuid()), Some(because))
    });
    sqlx::query("UPDATE users SET frozen_at = $2, frozen_by = $3, frozen_because = $4 WHERE id = $1")
        .bind(user.uuid())
        .bind(at)
        .bind(by)
        .bind(because)
        .execute(&mut **tx)
        .await
        .doing("freezing a user")?;
    Ok(())
}

/// Adds a person. `false` when the address already has an account: two registrations of one address were confirmed.
pub(crate) async fn insert(
    tx: &mut Tx,
    user: UserId,
    name: &str,
    email: &Email,
    password_hash: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "INSERT INTO users (id, user_name, email, email_key, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (email_key) DO NOTHING",
    )
    .bind(user.uuid())
    .bind(name)
    .bind(email.as_str())
    .bind(email.key())
    .bind(password_hash)
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("adding a user")?;
    Ok(done.rows_affected() == 1)
}

/// Whether `claim_name` would succeed now; for an answer before anything is counted or written.
pub(crate) async fn is_name_free(
    db: &Db,
    name: &UserName,
    email_key: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "SELECT 1 FROM user_name_claims
          WHERE user_name = $1 AND NOT (reserved_until IS NOT NULL AND (reserved_until <= $3 OR email_key = $2))",
    )
    .bind(name.as_str())
    .bind(email_key)
    .bind(now)
    .fetch_optional(db.pool())
    .await
    .doing("looking up a user name")?;
    Ok(row.is_none())
}

/// Reserves a user name for an address. `false` when somebody else has it. A name that belongs to an account is refused
/// to everybody, also to its owner, so that the answer does not tell whose it is.
pub(crate) async fn claim_name(
    tx: &mut Tx,
    name: &str,
    email_key: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "INSERT INTO user_name_claims (user_name, email_key, reserved_until) VALUES ($1, $2, $3)
         ON CONFLICT (user_name) DO UPDATE SET
             email_key = excluded.email_key,
             reserved_until = CASE WHEN user_name_claims.email_key = excluded.email_key
                 THEN GREATEST(user_name_claims.reserved_until, excluded.reserved_until) ELSE excluded.reserved_until END
         WHERE user_name_claims.reserved_until IS NOT NULL
           AND (user_name_claims.reserved_until <= $4 OR user_name_claims.email_key = excluded.email_key)",
    )
    .bind(name)
    .bind(email_key)
    .bind(until)
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("reserving a user name")?;
    Ok(done.rows_affected() == 1)
}

/// Gives a reserved name to its account for good.
pub(crate) async fn settle_name(tx: &mut Tx, name: &str, email_key: &str) -> Result<bool, Error> {
    let done = sqlx::query(
        "UPDATE user_name_claims SET reserved_until = NULL
          WHERE user_name = $1 AND email_key = $2 AND reserved_until IS NOT NULL",
    )
    .bind(name)
    .bind(email_key)
    .execute(&mut **tx)
    .await
    .doing("giving a user name to its account")?;
    Ok(done.rows_affected() == 1)
}

/// The hash of a locked person's password.
pub(crate) async fn password_hash_in_tx(tx: &mut Tx, user: UserId) -> Result<Option<String>, Error> {
    let row = sqlx::query("SELECT password_hash FROM users WHERE id = $1").bind(user.uuid());
    let row = row
        .fetch_optional(&mut **tx)
        .await
        .doing("reading a password hash")?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}
