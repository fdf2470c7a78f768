use ferrex_ids::{StaffId, StaffSessionId};
use ferrex_postgres::{Db, Error, SqlResult as _, Tx};
use ferrex_time::{Duration, Timestamp};
use uuid::Uuid;

use super::{Actor, Client, Session};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    address: String,
    user_agent: String,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
}

pub(super) async fn insert(
    tx: &mut Tx,
    session: StaffSessionId,
    token_hash: &[u8],
    staff: StaffId,
    client: &Client,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO staff_session (id, token_hash, staff, address, user_agent, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
    )
    .bind(session.uuid())
    .bind(token_hash)
    .bind(staff.uuid())
    .bind(client.address.to_string())
    .bind(&client.user_agent)
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await
    .map(drop)
    .doing("keeping a session of staff")
}

/// Who a token's hash stands for, if the session is good; notes the use, at most once a minute.
pub(super) async fn find(
    db: &Db,
    token_hash: &[u8],
    now: Timestamp,
    idle: Duration,
) -> Result<Option<Actor>, Error> {
    let row: Option<(Uuid, Uuid, String, Timestamp)> = sqlx::query_as(
        "SELECT s.id, t.id, t.name, s.last_used_at FROM staff_session s JOIN staff t ON t.id = s.staff
          WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND s.last_used_at > $3
            AND t.disabled_at IS NULL",
    )
    .bind(token_hash)
    .bind(now)
    .bind(now - idle)
    .fetch_optional(db.pool())
    .await
    .doing("looking up a session of staff")?;
    let Some((session, staff, name, last_used_at)) = row else {
        return Ok(None);
    };
    if now - last_used_at >= Duration::minutes(1) {
        sqlx::query("UPDATE staff_session SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2")
            .bind(session)
            .bind(now)
            .execute(db.pool())
            .await
            .doing("noting the use of a session")?;
    }
    let (staff, session) = (StaffId::from_uuid(staff), StaffSessionId::from_uuid(session));
    Ok(Some(Actor { staff, name, session }))
}

pub(super) async fn list(
    db: &Db,
    staff: StaffId,
    now: Timestamp,
    idle: Duration,
) -> Result<Vec<Session>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, address, user_agent, created_at, last_used_at, expires_at FROM staff_session
          WHERE staff = $1 AND revoked_at IS NULL AND expires_at > $2 AND last_used_at > $3
          ORDER BY created_at DESC LIMIT 100",
    )
    .bind(staff.uuid())
    .bind(now)
    .bind(now - idle)
    .fetch_all(db.pool())
    .await
    .doing("listing sessions of staff")?;
    let session = |row: Row| Session {
        id: StaffSessionId::from_uuid(row.id),
        address: row.address,
        user_agent: row.user_agent,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
    };
    Ok(rows.into_iter().map(session).collect())
}

/// Revokes a session of this account; `false` when there is no such good session.
pub(super) async fn revoke(
    tx: &mut Tx,
    staff: StaffId,
    session: StaffSessionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let revoked = sqlx::query(
        "UPDATE staff_session SET revoked_at = $3 WHERE id = $1 AND staff = $2 AND revoked_at IS NULL",
    )
    .bind(session.uuid())
    .bind(staff.uuid())
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("revoking a session of staff")?;
    Ok(revoked.rows_affected() == 1)
}
