//! Events and refused events as rows.

use ferrex_ids::{EffectId, InboundEventId};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{Headers, InboundEvent};

/// A refused event, as staff see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QuarantinedRow {
    /// Its number.
    pub id: i64,
    /// To whom it was addressed.
    pub source: String,
    /// Why it was refused: the code of the refusal.
    pub reason: String,
    /// When it came.
    pub received_at: Timestamp,
}

/// Writes the event unless there is one of the same source and id; answers whether it was written.
pub(crate) async fn insert(connection: &mut PgConnection, event: &InboundEvent) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO inbound_event (id, source, event_id, received_at, headers, body, order_key, status)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'stored') ON CONFLICT ON CONSTRAINT inbound_event_once DO NOTHING",
    )
    .bind(event.id.uuid())
    .bind(&event.source)
    .bind(&event.event_id)
    .bind(event.received_at)
    .bind(Json(&event.headers))
    .bind(&event.body)
    .bind(&event.order_key)
    .execute(connection)
    .await
    .doing("storing an event")?;
    Ok(done.rows_affected() == 1)
}

/// The event of this source and id, and whether its body is this one.
pub(crate) async fn find_by_event_id(
    connection: &mut PgConnection,
    source: &str,
    event_id: &str,
    body: &[u8],
) -> Result<Option<(InboundEventId, bool)>, DbError> {
    let row: Option<(Uuid, bool)> =
        sqlx::query_as("SELECT id, body = $3 FROM inbound_event WHERE source = $1 AND event_id = $2")
            .bind(source)
            .bind(event_id)
            .bind(body)
            .fetch_optional(connection)
            .await
            .doing("looking for an event")?;
    Ok(row.map(|(id, same)| (InboundEventId::from_uuid(id), same)))
}

#[derive(sqlx::FromRow)]
struct EventRow {
    source: String,
    event_id: String,
    received_at: Timestamp,
    headers: Json<Headers>,
    body: Vec<u8>,
    order_key: String,
}

/// The event, unless this effect has forwarded it: marks it forwarded by this effect.
pub(crate) async fn mark_forwarded(
    connection: &mut PgConnection,
    id: InboundEventId,
    effect: EffectId,
    now: Timestamp,
) -> Result<Option<InboundEvent>, DbError> {
    let row: Option<EventRow> = sqlx::query_as(
        "UPDATE inbound_event SET status = 'forwarded', forwarded_at = $3, last_effect = $2
          WHERE id = $1 AND last_effect IS DISTINCT FROM $2
         RETURNING source, event_id, received_at, headers, body, order_key",
    )
    .bind(id.uuid())
    .bind(effect.uuid())
    .bind(now)
    .fetch_optional(connection)
    .await
    .doing("marking an event forwarded")?;
    Ok(row.map(|row| InboundEvent {
        id,
        source: row.source,
        event_id: row.event_id,
        received_at: row.received_at,
        headers: row.headers.0,
        body: row.body,
        order_key: row.order_key,
    }))
}

/// Events that were stored before `before` and not forwarded, oldest first.
pub(crate) async fn list_stuck(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<Vec<InboundEventId>, DbError> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM inbound_event WHERE status = 'stored' AND received_at < $1 ORDER BY received_at LIMIT 500",
    )
    .bind(before)
    .fetch_all(connection)
    .await
    .doing("looking for stuck events")?;
    Ok(ids.into_iter().map(InboundEventId::from_uuid).collect())
}

/// Puts a refused event aside and lets the source's oldest go beyond `rows_max`.
pub(crate) async fn quarantine(
    connection: &mut PgConnection,
    source: &str,
    reason: &str,
    now: Timestamp,
    headers: &Headers,
    body: &[u8],
    rows_max: u32,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO quarantine (source, reason, received_at, headers, body) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(source)
    .bind(reason)
    .bind(now)
    .bind(Json(headers))
    .bind(body)
    .execute(&mut *connection)
    .await
    .doing("putting a refused event aside")?;
    sqlx::query(
        "DELETE FROM quarantine WHERE source = $1 AND id <=
             (SELECT id FROM quarantine WHERE source = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)",
    )
    .bind(source)
    .bind(i64::from(rows_max))
    .execute(connection)
    .await
    .map(drop)
    .doing("letting old refused events go")
}

/// Refused events, the newest first.
pub(crate) async fn list_quarantined(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<QuarantinedRow>, DbError> {
    sqlx::query_as("SELECT id, source, reason, received_at FROM quarantine ORDER BY id DESC LIMIT $1")
        .bind(limit)
        .fetch_all(connection)
        .await
        .doing("listing refused events")
}

/// A refused event: source, headers, body.
pub(crate) async fn find_quarantined(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Option<(String, Headers, Vec<u8>)>, DbError> {
    let row: Option<(String, Json<Headers>, Vec<u8>)> =
        sqlx::query_as("SELECT source, headers, body FROM quarantine WHERE id = $1")
            .bind(id)
            .fetch_optional(connection)
            .await
            .doing("reading a refused event")?;
    Ok(row.map(|(source, headers, body)| (source, headers.0, body)))
}

pub(crate) async fn delete_quarantined(connection: &mut PgConnection, id: i64) -> Result<(), DbError> {
    let done = sqlx::query("DELETE FROM quarantine WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await;
    done.map(drop).doing("letting a refused event go")
}
