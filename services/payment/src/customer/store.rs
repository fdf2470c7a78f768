//! The read table of people. A fact is taken only if it is newer than the one that is there (H063).

use ferrex_ids::{SessionId, UserId};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Customer;

type Row = (String, i16, bool, Option<Timestamp>);

/// A person; one of whom nothing was heard has level 0.
pub async fn get(connection: &mut PgConnection, user: UserId) -> Result<Customer, DbError> {
    let row: Option<Row> =
        sqlx::query_as("SELECT username, level, frozen, rest_until FROM customer WHERE user_id = $1")
            .bind(user.uuid())
            .fetch_optional(connection)
            .await
            .doing("reading a customer")?;
    Ok(row.map_or_else(
        || Customer::unknown(user),
        |(username, level, frozen, rest_until)| Customer {
            user,
            username,
            level: u8::try_from(level).unwrap_or(0),
            frozen,
            rest_until,
        },
    ))
}

/// Takes a user name.
pub async fn set_username(
    tx: &mut PgConnection,
    user: UserId,
    username: &str,
    version: u64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO customer AS c (user_id, username, name_version) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, name_version = excluded.name_version
          WHERE c.name_version < excluded.name_version",
    )
    .bind(user.uuid())
    .bind(username)
    .bind(version.cast_signed())
    .execute(tx)
    .await
    .doing("writing a user name")
    .map(drop)
}

/// Takes an identity level.
pub async fn set_level(tx: &mut PgConnection, user: UserId, level: u8, version: u64) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO customer AS c (user_id, level, level_version) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET level = excluded.level, level_version = excluded.level_version
          WHERE c.level_version < excluded.level_version",
    )
    .bind(user.uuid())
    .bind(i16::from(level))
    .bind(version.cast_signed())
    .execute(tx)
    .await
    .doing("writing an identity level")
    .map(drop)
}

/// Takes a freeze or its end.
pub async fn set_frozen(
    tx: &mut PgConnection,
    user: UserId,
    frozen: bool,
    version: u64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO customer AS c (user_id, frozen, freeze_version) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET frozen = excluded.frozen, freeze_version = excluded.freeze_version
          WHERE c.freeze_version < excluded.freeze_version",
    )
    .bind(user.uuid())
    .bind(frozen)
    .bind(version.cast_signed())
    .execute(tx)
    .await
    .doing("writing a freeze")
    .map(drop)
}

/// Takes a time of rest for withdrawals.
pub async fn set_rest(
    tx: &mut PgConnection,
    user: UserId,
    until: Timestamp,
    version: u64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO customer AS c (user_id, rest_until, rest_version) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE
            SET rest_until = greatest(c.rest_until, excluded.rest_until), rest_version = excluded.rest_version
          WHERE c.rest_version < excluded.rest_version",
    )
    .bind(user.uuid())
    .bind(until)
    .bind(version.cast_signed())
    .execute(tx)
    .await
    .doing("writing a rest of withdrawals")
    .map(drop)
}

/// Remembers that a session has ended, and forgets those whose tokens are dead.
pub async fn revoke_session(
    tx: &mut PgConnection,
    session: SessionId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO revoked_session (session_id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(session.uuid())
    .bind(expires_at)
    .execute(&mut *tx)
    .await
    .doing("writing a revoked session")?;
    sqlx::query("DELETE FROM revoked_session WHERE expires_at < $1")
        .bind(now - ferrex_time::Duration::minutes(10))
        .execute(tx)
        .await
        .doing("forgetting revoked sessions")
        .map(drop)
}

/// All sessions that have ended and whose tokens may still live. Small: they live for minutes.
pub async fn list_revoked(connection: &mut PgConnection) -> Result<Vec<SessionId>, DbError> {
    let rows: Vec<Uuid> = sqlx::query_scalar("SELECT session_id FROM revoked_session")
        .fetch_all(connection)
        .await
        .doing("reading revoked sessions")?;
    Ok(rows.into_iter().map(SessionId::from_uuid).collect())
}
