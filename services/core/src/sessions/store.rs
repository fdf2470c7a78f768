use ferrex_ids::{SessionId, UserId};
use ferrex_postgres::{Db, Error, SqlResult as _, Tx};
use ferrex_time::Timestamp;
use sqlx::Row as _;
use uuid::Uuid;

use super::Session;
use crate::client::Client;

macro_rules! select_session {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, address, user_agent, created_at, last_seen_at, expires_at, revoked_at FROM sessions ",
            $rest
        )
    };
}

pub(super) async fn find(db: &Db, session: SessionId, user: UserId) -> Result<Option<Session>, Error> {
    let query = sqlx::query_as(select_session!("WHERE id = $1 AND user_id = $2"));
    let query = query.bind(session.uuid()).bind(user.uuid());
    query.fetch_optional(db.pool()).await.doing("reading a session")
}

pub(super) async fn find_by_token(db: &Db, token_hash: &[u8]) -> Result<Option<Session>, Error> {
    let query = sqlx::query_as(select_session!("WHERE token_hash = $1")).bind(token_hash);
    query
        .fetch_optional(db.pool())
        .await
        .doing("reading the session of a token")
}

/// Sessions that are good now, the one used last first.
pub(super) async fn live(
    db: &Db,
    user: UserId,
    now: Timestamp,
    seen_after: Timestamp,
) -> Result<Vec<Session>, Error> {
    sqlx::query_as(select_session!(
        "WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND last_seen_at > $3
         ORDER BY last_seen_at DESC, id DESC"
    ))
    .bind(user.uuid())
    .bind(now)
    .bind(seen_after)
    .fetch_all(db.pool())
    .await
    .doing("listing sessions")
}

pub(super) async fn seen(db: &Db, session: SessionId, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2 AND revoked_at IS NULL",
    )
    .bind(session.uuid())
    .bind(now)
    .execute(db.pool())
    .await
    .doing("noting the use of a session")?;
    Ok(())
}

pub(super) async fn insert(
    tx: &mut Tx,
    session: SessionId,
    user: UserId,
    token_hash: &[u8],
    client: &Client,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sessions
            (id, user_id, token_hash, address, network, user_agent, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
    )
    .bind(session.uuid())
    .bind(user.uuid())
    .bind(token_hash)
    .bind(client.address.to_string())
    .bind(client.network())
    .bind(&client.user_agent)
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await
    .doing("adding a session")?;
    Ok(())
}

/// Which sessions to end.
pub(crate) enum Which {
    One(SessionId),
    All,
    AllBut(SessionId),
    /// All but the one that is new and those used last, so that as many as given stay.
    Beyond {
        new: SessionId,
        keep: i64,
    },
}

/// Ends live sessions of a person, whose record the caller has locked, and gives those that were ended by this call.
pub(super) async fn revoke(
    tx: &mut Tx,
    user: UserId,
    which: &Which,
    because: &str,
    now: Timestamp,
) -> Result<Vec<SessionId>, Error> {
    let (only, but, beyond) = match which {
        Which::One(session) => (Some(session.uuid()), None, 0),
        Which::All => (None, None, 0),
        Which::AllBut(session) => (None, Some(session.uuid()), 0),
        Which::Beyond { new, keep } => (None, Some(new.uuid()), keep - 1),
    };
    let rows = sqlx::query(
        "UPDATE sessions SET revoked_at = $2, revoked_because = $3
          WHERE id IN (SELECT id FROM sessions
                        WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
                          AND ($4::uuid IS NULL OR id = $4) AND ($5::uuid IS NULL OR id <> $5)
                        ORDER BY last_seen_at DESC, id DESC OFFSET $6)
            AND revoked_at IS NULL
      RETURNING id",
    )
    .bind(user.uuid())
    .bind(now)
    .bind(because)
    .bind(only)
    .bind(but)
    .bind(beyond)
    .fetch_all(&mut **tx)
    .await
    .doing("ending sessions")?;
    rows.into_iter()
        .map(|row| Ok(SessionId::from_uuid(row.try_get::<Uuid, _>(0)?)))
        .collect()
}

/// Whether a person logged in from this network since `since`.
pub(super) async fn is_familiar(
    db: &Db,
    email_key: &str,
    network: &str,
    since: Timestamp,
) -> Result<bool, Error> {
    let row = sqlx::query(
        "SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
          WHERE u.email_key = $1 AND s.network = $2 AND s.created_at > $3 LIMIT 1",
    )
    .bind(email_key)
    .bind(network)
    .bind(since)
    .fetch_optional(db.pool())
    .await
    .doing("looking up a place")?;
    Ok(row.is_some())
}

/// Whether a locked person had any session since `since`, and whether one of them was from this network.
pub(super) async fn places(
    tx: &mut Tx,
    user: UserId,
    network: &str,
    since: Timestamp,
) -> Result<(bool, bool), Error> {
    let row = sqlx::query(
        "SELECT count(*) > 0, coalesce(bool_or(network = $2), false) FROM sessions
          WHERE user_id = $1 AND created_at > $3",
    )
    .bind(user.uuid())
    .bind(network)
    .bind(since)
    .fetch_one(&mut **tx)
    .await
    .doing("looking up a person's places")?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Someone who may log in, and the hash to compare with.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Candidate {
    pub id: Uuid,
    pub user_name: String,
    pub email: String,
    pub password_hash: String,
}

pub(super) async fn candidate(db: &Db, email_key: &str) -> Result<Option<Candidate>, Error> {
    let query = sqlx::query_as("SELECT id, user_name, email, password_hash FROM users WHERE email_key = $1");
    query
        .bind(email_key)
        .fetch_optional(db.pool())
        .await
        .doing("reading who logs in")
}

pub(super) async fn add_pending(
    tx: &mut Tx,
    id: Uuid,
    user: UserId,
    token_hash: &[u8],
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO pending_logins (id, user_id, token_hash, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(user.uuid())
        .bind(token_hash)
        .bind(expires_at)
        .execute(&mut **tx)
        .await
        .doing("adding a pending log-in")?;
    Ok(())
}

pub(super) async fn pending_user(
    db: &Db,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<UserId>, Error> {
    let row = sqlx::query("SELECT user_id FROM pending_logins WHERE token_hash = $1 AND expires_at > $2")
        .bind(token_hash)
        .bind(now)
        .fetch_optional(db.pool())
        .await
        .doing("reading a pending log-in")?;
    row.map(|row| Ok(UserId::from_uuid(row.try_get(0)?))).transpose()
}

/// Uses up a pending log-in; `false` when another request did.
pub(super) async fn take_pending(tx: &mut Tx, token_hash: &[u8]) -> Result<bool, Error> {
    let done = sqlx::query("DELETE FROM pending_logins WHERE token_hash = $1")
        .bind(token_hash)
        .execute(&mut **tx)
        .await
        .doing("using up a pending log-in")?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn drop_pending(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    sqlx::query("DELETE FROM pending_logins WHERE user_id = $1")
        .bind(user.uuid())
        .execute(&mut **tx)
        .await
        .doing("dropping pending log-ins")?;
    Ok(())
}
