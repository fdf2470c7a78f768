//! The SQL of flows. Statements of one transaction take a connection; times of leases are the database's.

use std::time::Duration;

use ferrex_ids::{EffectId, FlowId};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use crate::flow::Revoke;

type Result<T> = std::result::Result<T, DbError>;

/// A flow as it stands in its row.
#[derive(sqlx::FromRow)]
pub(crate) struct FlowRow {
    pub id: Uuid,
    pub step: i32,
    pub label: String,
    pub version: i32,
    pub state: Value,
    pub is_final: bool,
    pub waiting_for: Option<String>,
    pub wake_at: Option<Timestamp>,
    pub parked_reason: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A step of the history as it stands in its row.
#[derive(sqlx::FromRow)]
pub(crate) struct HistoryRow {
    pub step: i32,
    pub at: Timestamp,
    pub actor: String,
    pub input: Option<Value>,
    pub label: String,
    pub version: i32,
    pub state: Value,
    pub waiting_for: Option<String>,
    pub wake_at: Option<Timestamp>,
    pub effects: Vec<String>,
}

/// What is written about a step.
pub(crate) struct StepRow<'a> {
    pub kind: &'static str,
    pub step: i32,
    pub at: Timestamp,
    pub actor: &'a str,
    pub input: Option<Value>,
    pub label: &'static str,
    pub version: i32,
    pub state: Value,
    pub is_final: bool,
    pub waiting_for: Option<&'a str>,
    pub wake_at: Option<Timestamp>,
    pub effects: Vec<String>,
}

/// An effect that a worker has claimed.
#[derive(sqlx::FromRow)]
pub(crate) struct Claimed {
    pub id: Uuid,
    pub flow_id: Uuid,
    pub step: i32,
    pub label: String,
    pub name: String,
    pub action: Value,
    pub fence: i32,
    pub created_at: Timestamp,
    /// Whether an earlier attempt may have reached the outside.
    pub touched_before: bool,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

const FLOW: &str = "SELECT id, step, label, version, state, is_final, waiting_for, wake_at, parked_reason, created_at, updated_at
                      FROM flow WHERE id = $1 AND kind = $2";
const FLOW_LOCKED: &str = "SELECT id, step, label, version, state, is_final, waiting_for, wake_at, parked_reason, created_at, updated_at
                             FROM flow WHERE id = $1 AND kind = $2 FOR UPDATE";

/// Whether a flow's row was inserted; `false` if one with this id exists.
pub(crate) async fn insert_flow(tx: &mut PgConnection, id: FlowId, row: &StepRow<'_>) -> Result<bool> {
    let done = sqlx::query(
        "INSERT INTO flow (id, kind, step, label, version, state, is_final, waiting_for, wake_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(row.kind)
    .bind(row.step)
    .bind(row.label)
    .bind(row.version)
    .bind(&row.state)
    .bind(row.is_final)
    .bind(row.waiting_for)
    .bind(row.wake_at)
    .bind(row.at)
    .execute(tx)
    .await
    .doing("inserting a flow")?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn find_flow(tx: &mut PgConnection, kind: &str, id: FlowId) -> Result<Option<FlowRow>> {
    sqlx::query_as(FLOW)
        .bind(id.uuid())
        .bind(kind)
        .fetch_optional(tx)
        .await
        .doing("reading a flow")
}

pub(crate) async fn lock_flow(tx: &mut PgConnection, kind: &str, id: FlowId) -> Result<Option<FlowRow>> {
    sqlx::query_as(FLOW_LOCKED)
        .bind(id.uuid())
        .bind(kind)
        .fetch_optional(tx)
        .await
        .doing("locking a flow")
}

/// Writes the state after a step over the one before it, whose lock the caller holds.
pub(crate) async fn update_flow(tx: &mut PgConnection, id: FlowId, row: &StepRow<'_>) -> Result<()> {
    let done = sqlx::query(
        "UPDATE flow SET step = $3, label = $4, version = $5, state = $6, is_final = $7, waiting_for = $8, wake_at = $9,
                         updated_at = $10
          WHERE id = $1 AND kind = $2 AND step = $3 - 1",
    )
    .bind(id.uuid())
    .bind(row.kind)
    .bind(row.step)
    .bind(row.label)
    .bind(row.version)
    .bind(&row.state)
    .bind(row.is_final)
    .bind(row.waiting_for)
    .bind(row.wake_at)
    .bind(row.at)
    .execute(tx)
    .await
    .doing("writing a flow's step")?;
    // The row is locked and was read under the lock; another step between is a defect, not a race.
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(DbError::Statement {
            doing: "writing a flow's step",
            source: sqlx::Error::RowNotFound,
        })
    }
}

pub(crate) async fn insert_history(tx: &mut PgConnection, id: FlowId, row: &StepRow<'_>) -> Result<()> {
    sqlx::query(
        "INSERT INTO flow_history (flow_id, step, at, actor, input, label, version, state, waiting_for, wake_at, effects)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id.uuid())
    .bind(row.step)
    .bind(row.at)
    .bind(row.actor)
    .bind(&row.input)
    .bind(row.label)
    .bind(row.version)
    .bind(&row.state)
    .bind(row.waiting_for)
    .bind(row.wake_at)
    .bind(&row.effects)
    .execute(tx)
    .await
    .map(drop)
    .doing("writing a flow's history")
}

pub(crate) struct NewEffect<'a> {
    pub id: EffectId,
    pub position: u16,
    pub name: &'a str,
    pub action: &'a Value,
}

pub(crate) async fn insert_effect(
    tx: &mut PgConnection,
    flow: FlowId,
    row: &StepRow<'_>,
    effect: &NewEffect<'_>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO flow_effect (id, flow_id, kind, step, position, label, name, action, created_at, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())",
    )
    .bind(effect.id.uuid())
    .bind(flow.uuid())
    .bind(row.kind)
    .bind(row.step)
    .bind(i16::try_from(effect.position).unwrap_or(i16::MAX))
    .bind(row.label)
    .bind(effect.name)
    .bind(effect.action)
    .bind(row.at)
    .execute(tx)
    .await
    .map(drop)
    .doing("writing an effect")
}

/// Takes back effects of a flow that nobody has claimed. `Err(name)` of one that somebody has; then nothing may be kept.
///
/// The row locks make it a race with one winner: a claim skips locked rows, and this waits for a claim under way and then
/// sees that the effect is touched.
pub(crate) async fn revoke(
    tx: &mut PgConnection,
    flow: FlowId,
    which: &Revoke,
) -> Result<std::result::Result<(), String>> {
    let name = match which {
        Revoke::Nothing => return Ok(Ok(())),
        Revoke::All => None,
        Revoke::Named(name) => Some(*name),
    };
    let rows: Vec<(Uuid, String, bool)> = sqlx::query_as(
        "SELECT id, name, touched FROM flow_effect
          WHERE flow_id = $1 AND status = 'pending' AND ($2::text IS NULL OR name = $2)
          ORDER BY id FOR UPDATE",
    )
    .bind(flow.uuid())
    .bind(name)
    .fetch_all(&mut *tx)
    .await
    .doing("locking effects to take them back")?;
    if let Some((_, name, _)) = rows.iter().find(|(_, _, touched)| *touched) {
        return Ok(Err(name.clone()));
    }
    let ids: Vec<Uuid> = rows.iter().map(|(id, _, _)| *id).collect();
    sqlx::query(
        "UPDATE flow_effect SET status = 'revoked', finished_at = clock_timestamp() WHERE id = ANY($1)",
    )
    .bind(ids)
    .execute(tx)
    .await
    .doing("taking effects back")?;
    Ok(Ok(()))
}

/// Claims effects that are due, whether new, to be tried again, or with a lease that ran out.
pub(crate) async fn claim(
    pool: &PgPool,
    kind: &str,
    worker: &str,
    lease: Duration,
    limit: usize,
) -> Result<Vec<Claimed>> {
    sqlx::query_as(
        "WITH due AS MATERIALIZED (
             SELECT id, touched FROM flow_effect
              WHERE kind = $1 AND status = 'pending' AND due_at <= clock_timestamp()
              ORDER BY due_at LIMIT $4
                FOR UPDATE SKIP LOCKED
         )
         UPDATE flow_effect e
            SET fence = e.fence + 1, touched = true, claimed_by = $2,
                due_at = clock_timestamp() + $3 * interval '1 millisecond'
           FROM due WHERE e.id = due.id
         RETURNING e.id, e.flow_id, e.step, e.label, e.name, e.action, e.fence, e.created_at, due.touched AS touched_before",
    )
    .bind(kind)
    .bind(worker)
    .bind(millis(lease))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .doing("claiming effects")
}

/// Extends a lease; `false` if it is no longer held.
pub(crate) async fn extend(pool: &PgPool, effect: Uuid, fence: i32, lease: Duration) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE flow_effect SET due_at = clock_timestamp() + $3 * interval '1 millisecond'
          WHERE id = $1 AND fence = $2 AND status = 'pending'",
    )
    .bind(effect)
    .bind(fence)
    .bind(millis(lease))
    .execute(pool)
    .await
    .doing("extending a lease")?;
    Ok(done.rows_affected() == 1)
}

/// Gives an effect back to be tried again; `false` if the lease is no longer held.
pub(crate) async fn put_back(
    pool: &PgPool,
    effect: Uuid,
    fence: i32,
    touched: bool,
    after: Duration,
    reason: &str,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE flow_effect
            SET due_at = clock_timestamp() + $3 * interval '1 millisecond', reason = $4, touched = $5, claimed_by = NULL
          WHERE id = $1 AND fence = $2 AND status = 'pending'",
    )
    .bind(effect)
    .bind(fence)
    .bind(millis(after))
    .bind(reason)
    .bind(touched)
    .execute(pool)
    .await
    .doing("putting an effect back")?;
    Ok(done.rows_affected() == 1)
}

/// Ends an effect; `false` if the lease is no longer held.
pub(crate) async fn finish(
    tx: &mut PgConnection,
    effect: Uuid,
    fence: i32,
    status: &str,
    outcome: Option<&Value>,
    reason: Option<&str>,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE flow_effect
            SET status = $3, outcome = $4, reason = $5, claimed_by = NULL, finished_at = clock_timestamp()
          WHERE id = $1 AND fence = $2 AND status = 'pending'",
    )
    .bind(effect)
    .bind(fence)
    .bind(status)
    .bind(outcome)
    .bind(reason)
    .execute(tx)
    .await
    .doing("ending an effect")?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn park(tx: &mut PgConnection, flow: Uuid, reason: &str) -> Result<()> {
    sqlx::query("UPDATE flow SET parked_reason = $2, updated_at = greatest(updated_at, clock_timestamp()) WHERE id = $1")
        .bind(flow)
        .bind(reason)
        .execute(tx)
        .await
        .map(drop)
        .doing("parking a flow")
}

pub(crate) async fn clear_parked(tx: &mut PgConnection, flow: FlowId) -> Result<()> {
    sqlx::query("UPDATE flow SET parked_reason = NULL WHERE id = $1")
        .bind(flow.uuid())
        .execute(tx)
        .await
        .map(drop)
        .doing("unparking a flow")
}

/// The parked effects of a flow: id, name, and the outcome that was refused (none when it never came to one).
pub(crate) async fn parked_effects(
    tx: &mut PgConnection,
    flow: FlowId,
) -> Result<Vec<(Uuid, String, Option<Value>)>> {
    sqlx::query_as(
        "SELECT id, name, outcome FROM flow_effect WHERE flow_id = $1 AND status = 'parked'
          ORDER BY step, position FOR UPDATE",
    )
    .bind(flow.uuid())
    .fetch_all(tx)
    .await
    .doing("reading parked effects")
}

pub(crate) async fn settle_parked(tx: &mut PgConnection, effect: Uuid, again: bool) -> Result<()> {
    sqlx::query(
        "UPDATE flow_effect
            SET status = CASE WHEN $2 THEN 'pending' ELSE 'done' END, due_at = clock_timestamp(),
                finished_at = CASE WHEN $2 THEN NULL ELSE clock_timestamp() END, outcome = NULL
          WHERE id = $1",
    )
    .bind(effect)
    .bind(again)
    .execute(tx)
    .await
    .map(drop)
    .doing("settling a parked effect")
}

/// Flows whose timer is due, not locked: each is looked at again under its lock.
pub(crate) async fn due_timers(pool: &PgPool, kind: &str, now: Timestamp, limit: usize) -> Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT id FROM flow WHERE kind = $1 AND wake_at <= $2 AND parked_reason IS NULL ORDER BY wake_at LIMIT $3",
    )
    .bind(kind)
    .bind(now)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .doing("looking for due timers")
}

/// Locks a flow if its timer is still due and nobody else is at it.
pub(crate) async fn lock_due_timer(
    tx: &mut PgConnection,
    kind: &str,
    id: Uuid,
    now: Timestamp,
) -> Result<bool> {
    let row = sqlx::query(
        "SELECT 1 AS one FROM flow WHERE id = $1 AND kind = $2 AND wake_at <= $3 AND parked_reason IS NULL
            FOR UPDATE SKIP LOCKED",
    )
    .bind(id)
    .bind(kind)
    .bind(now)
    .fetch_optional(tx)
    .await
    .doing("locking a flow whose timer is due")?;
    Ok(row.is_some())
}

pub(crate) async fn clear_wake(tx: &mut PgConnection, id: FlowId) -> Result<()> {
    sqlx::query("UPDATE flow SET wake_at = NULL WHERE id = $1")
        .bind(id.uuid())
        .execute(tx)
        .await
        .map(drop)
        .doing("clearing a timer")
}

/// Makes pending effects due at once, of one flow or of a whole kind, but those that somebody holds.
pub(crate) async fn rearm(pool: &PgPool, kind: &str, flow: Option<FlowId>) -> Result<u64> {
    sqlx::query(
        "UPDATE flow_effect SET due_at = clock_timestamp()
          WHERE kind = $1 AND status = 'pending' AND claimed_by IS NULL AND due_at > clock_timestamp()
            AND ($2::uuid IS NULL OR flow_id = $2)",
    )
    .bind(kind)
    .bind(flow.map(FlowId::uuid))
    .execute(pool)
    .await
    .map(|done| done.rows_affected())
    .doing("re-arming effects")
}

pub(crate) async fn pending(tx: &mut PgConnection, flow: FlowId) -> Result<Vec<crate::EffectView>> {
    let rows = sqlx::query(
        "SELECT id, name, fence, claimed_by IS NOT NULL AND due_at > clock_timestamp() AS claimed, reason, due_at
           FROM flow_effect WHERE flow_id = $1 AND status = 'pending' ORDER BY step, position",
    )
    .bind(flow.uuid())
    .fetch_all(tx)
    .await
    .doing("reading pending effects")?;
    rows.into_iter()
        .map(|row| {
            Ok(crate::EffectView {
                id: EffectId::from_uuid(row.try_get("id")?),
                name: row.try_get("name")?,
                attempts: row.try_get::<i32, _>("fence")?.cast_unsigned(),
                claimed: row.try_get("claimed")?,
                reason: row.try_get("reason")?,
                next_attempt_at: row.try_get("due_at")?,
            })
        })
        .collect::<std::result::Result<_, sqlx::Error>>()
        .doing("reading pending effects")
}

pub(crate) async fn history(tx: &mut PgConnection, flow: FlowId) -> Result<Vec<HistoryRow>> {
    sqlx::query_as(
        "SELECT step, at, actor, input, label, version, state, waiting_for, wake_at, effects
           FROM flow_history WHERE flow_id = $1 ORDER BY step",
    )
    .bind(flow.uuid())
    .fetch_all(tx)
    .await
    .doing("reading a flow's history")
}

pub(crate) async fn parked(
    pool: &PgPool,
    kind: &str,
    limit: usize,
) -> Result<Vec<(Uuid, String, String, Timestamp)>> {
    sqlx::query_as(
        "SELECT id, label, parked_reason, updated_at FROM flow
          WHERE kind = $1 AND parked_reason IS NOT NULL ORDER BY updated_at LIMIT $2",
    )
    .bind(kind)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .doing("listing parked flows")
}
