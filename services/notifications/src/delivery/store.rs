use std::collections::BTreeMap;
use std::time::Duration;

use ferrex_contracts::notifications::DeliveryView;
use ferrex_ids::{DeliveryId, UserId};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::flow::NewDelivery;

/// What is needed to put a mail together.
pub(crate) struct Outbound {
    pub template: String,
    pub params: BTreeMap<String, String>,
    pub message_id: String,
    /// The address given, else that of the person; `None` while the person is not known here.
    pub email: Option<String>,
    pub username: Option<String>,
}

/// Writes the log row; `false` if it is there already.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    new: &NewDelivery,
    message_id: &str,
    at: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO delivery (id, user_id, email, template, params, state, message_id, created_at)
         VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7) ON CONFLICT (id) DO NOTHING",
    )
    .bind(new.id.uuid())
    .bind(new.user.map(UserId::uuid))
    .bind(&new.email)
    .bind(&new.template)
    .bind(Json(&new.params))
    .bind(message_id)
    .bind(at)
    .execute(tx)
    .await
    .doing("writing a delivery")?;
    Ok(done.rows_affected() == 1)
}

/// Notes that an attempt begins and gives what it needs; `None` once the delivery has ended.
pub(crate) async fn begin_attempt(
    pool: &PgPool,
    id: DeliveryId,
    attempt: u32,
) -> Result<Option<Outbound>, DbError> {
    let row = sqlx::query(
        "UPDATE delivery d
            SET state = 'sending', attempts = $2, next_attempt_at = NULL, server_away = false
           FROM delivery e LEFT JOIN contact c ON c.user_id = e.user_id
          WHERE d.id = $1 AND e.id = d.id AND d.params IS NOT NULL
         RETURNING d.template, d.params, d.message_id, coalesce(d.email, c.email) AS email, c.username",
    )
    .bind(id.uuid())
    .bind(attempt.cast_signed())
    .fetch_optional(pool)
    .await
    .doing("beginning to send a delivery")?;
    let read = |row: sqlx::postgres::PgRow| {
        Ok(Outbound {
            template: row.try_get("template")?,
            params: row.try_get::<Json<_>, _>("params")?.0,
            message_id: row.try_get("message_id")?,
            email: row.try_get("email")?,
            username: row.try_get("username")?,
        })
    };
    row.map(read).transpose().doing("reading a delivery")
}

/// Notes why an attempt came to nothing and when the next one is.
pub(crate) async fn wait(
    pool: &PgPool,
    id: DeliveryId,
    attempt: u32,
    reason: &str,
    server_away: bool,
    pause: Duration,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE delivery
            SET state = 'waiting', reason = $3, server_away = $4,
                next_attempt_at = clock_timestamp() + $5 * interval '1 millisecond'
          WHERE id = $1 AND attempts = $2 AND state = 'sending'",
    )
    .bind(id.uuid())
    .bind(attempt.cast_signed())
    .bind(reason)
    .bind(server_away)
    .bind(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX / 2))
    .execute(pool)
    .await
    .map(drop)
    .doing("noting that a delivery waits")
}

/// Follows the flow. The values go when the delivery ends.
pub(crate) async fn follow(
    tx: &mut PgConnection,
    id: Uuid,
    label: &str,
    reason: Option<&str>,
    is_final: bool,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE delivery
            SET state = $2, reason = $3, next_attempt_at = NULL, server_away = false,
                params = CASE WHEN $4 THEN NULL ELSE params END,
                finished_at = CASE WHEN $4 THEN $5 END
          WHERE id = $1",
    )
    .bind(id)
    .bind(label)
    .bind(reason)
    .bind(is_final)
    .bind(at)
    .execute(tx)
    .await
    .map(drop)
    .doing("writing where a delivery stands")
}

/// Deliveries that wait only because the mail server was away, the oldest first.
pub(crate) async fn held_up_by_the_server(pool: &PgPool, limit: i64) -> Result<Vec<DeliveryId>, DbError> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM delivery WHERE state = 'waiting' AND server_away ORDER BY id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await
    .doing("looking for deliveries that wait")?;
    Ok(ids.into_iter().map(DeliveryId::from_uuid).collect())
}

/// Deliveries for staff, newest first, older than `before`.
pub(crate) async fn list(
    pool: &PgPool,
    user: Option<UserId>,
    state: Option<&str>,
    before: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<DeliveryView>, DbError> {
    let rows = sqlx::query(
        "SELECT d.id, d.user_id, coalesce(d.email, c.email) AS email, d.template, d.state, d.attempts, d.reason,
                d.next_attempt_at, d.created_at, d.finished_at
           FROM delivery d LEFT JOIN contact c ON c.user_id = d.user_id
          WHERE ($1::uuid IS NULL OR d.user_id = $1) AND ($2::text IS NULL OR d.state = $2)
            AND ($3::uuid IS NULL OR d.id < $3)
          ORDER BY d.id DESC LIMIT $4",
    )
    .bind(user.map(UserId::uuid))
    .bind(state)
    .bind(before.map(DeliveryId::uuid))
    .bind(limit)
    .fetch_all(pool)
    .await
    .doing("listing deliveries")?;
    let read = |row: sqlx::postgres::PgRow| -> Result<DeliveryView, sqlx::Error> {
        Ok(DeliveryView {
            delivery: DeliveryId::from_uuid(row.try_get("id")?),
            user: row.try_get::<Option<Uuid>, _>("user_id")?.map(UserId::from_uuid),
            email: row.try_get("email")?,
            template: row.try_get("template")?,
            state: row.try_get("state")?,
            attempts: row.try_get::<i32, _>("attempts")?.cast_unsigned(),
            reason: row.try_get("reason")?,
            next_attempt_at: row.try_get("next_attempt_at")?,
            created_at: row.try_get("created_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    };
    rows.into_iter()
        .map(read)
        .collect::<Result<_, _>>()
        .doing("reading deliveries")
}
