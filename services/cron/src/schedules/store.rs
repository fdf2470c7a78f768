//! Schedules and runs as rows.

use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use super::model::{CatchUp, Schedule};
use super::seeds::SEEDS;
use crate::Error;

/// How long runs are remembered.
const REMEMBERED_DAYS: i32 = 30;

/// A schedule as it is stored, for the board that staff see.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ScheduleRow {
    /// The job.
    pub job: String,
    /// Its cron expression.
    pub expression: String,
    /// Its time zone.
    pub time_zone: String,
    /// `run_once`, `run_all` or `skip`.
    pub catch_up: String,
    /// Whether it ticks.
    pub enabled: bool,
    /// The first moment not dealt with.
    pub next_at: Timestamp,
    /// Moments that passed without a tick.
    pub skipped: i64,
    /// The last moment that had its tick.
    pub last_run: Option<Timestamp>,
}

impl ScheduleRow {
    pub(crate) fn schedule(&self) -> Result<Schedule, Error> {
        // The check on the column holds the same names.
        let catch_up = CatchUp::from_name(&self.catch_up).unwrap_or(CatchUp::RunOnce);
        Schedule::parse(&self.expression, &self.time_zone, catch_up).map_err(|error| Error::Stored {
            job: self.job.clone(),
            source: Box::new(error),
        })
    }
}

pub(crate) async fn seed(connection: &mut PgConnection, now: Timestamp) -> Result<(), Error> {
    for seed in SEEDS {
        let schedule = Schedule::parse(seed.expression, "UTC", seed.catch_up)?;
        sqlx::query(
            "INSERT INTO schedule (job, expression, time_zone, catch_up, enabled, next_at)
             VALUES ($1, $2, 'UTC', $3, true, $4) ON CONFLICT (job) DO NOTHING",
        )
        .bind(seed.job)
        .bind(seed.expression)
        .bind(seed.catch_up.name())
        .bind(schedule.first_after(now))
        .execute(&mut *connection)
        .await
        .doing("seeding the schedules")?;
    }
    Ok(())
}

pub(crate) async fn list(connection: &mut PgConnection) -> Result<Vec<ScheduleRow>, DbError> {
    sqlx::query_as(
        "SELECT job, expression, time_zone, catch_up, enabled, next_at, skipped,
                (SELECT max(scheduled_for) FROM run WHERE run.job = schedule.job) AS last_run
           FROM schedule ORDER BY job",
    )
    .fetch_all(connection)
    .await
    .doing("listing the schedules")
}

/// Jobs whose moment has come, the longest due first.
pub(crate) async fn due_jobs(connection: &mut PgConnection, now: Timestamp) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar("SELECT job FROM schedule WHERE enabled AND next_at <= $1 ORDER BY next_at, job")
        .bind(now)
        .fetch_all(connection)
        .await
        .doing("looking for due jobs")
}

/// Locks a schedule that is still due; none if somebody dealt with it meanwhile.
pub(crate) async fn lock_due(
    connection: &mut PgConnection,
    job: &str,
    now: Timestamp,
) -> Result<Option<ScheduleRow>, DbError> {
    sqlx::query_as(
        "SELECT job, expression, time_zone, catch_up, enabled, next_at, skipped, NULL::timestamptz AS last_run
           FROM schedule WHERE job = $1 AND enabled AND next_at <= $2 FOR UPDATE",
    )
    .bind(job)
    .bind(now)
    .fetch_optional(connection)
    .await
    .doing("locking a due schedule")
}

/// Writes the runs that do not exist and answers their moments, in order.
pub(crate) async fn insert_runs(
    connection: &mut PgConnection,
    job: &str,
    moments: &[Timestamp],
    now: Timestamp,
    epoch: i64,
) -> Result<Vec<Timestamp>, DbError> {
    let mut fresh: Vec<Timestamp> = sqlx::query_scalar(
        "INSERT INTO run (job, scheduled_for, ticked_at, epoch)
         SELECT $1, moment, $3, $4 FROM unnest($2::timestamptz[]) AS moment
         ON CONFLICT ON CONSTRAINT run_once DO NOTHING RETURNING scheduled_for",
    )
    .bind(job)
    .bind(moments)
    .bind(now)
    .bind(epoch)
    .fetch_all(connection)
    .await
    .doing("writing runs")?;
    fresh.sort_unstable();
    Ok(fresh)
}

pub(crate) async fn move_on(
    connection: &mut PgConnection,
    job: &str,
    next_at: Timestamp,
    skipped: u64,
) -> Result<(), DbError> {
    sqlx::query("UPDATE schedule SET next_at = greatest(next_at, $2), skipped = skipped + $3 WHERE job = $1")
        .bind(job)
        .bind(next_at)
        .bind(i64::try_from(skipped).unwrap_or(i64::MAX))
        .execute(connection)
        .await
        .map(drop)
        .doing("moving a schedule on")
}

/// Changes a schedule; false if there is no such job.
pub(crate) async fn change(
    connection: &mut PgConnection,
    job: &str,
    schedule: &Schedule,
    enabled: bool,
    next_at: Timestamp,
) -> Result<bool, DbError> {
    let changed = sqlx::query(
        "UPDATE schedule SET expression = $2, time_zone = $3, catch_up = $4, enabled = $5, next_at = $6 WHERE job = $1",
    )
    .bind(job)
    .bind(schedule.expression.to_string())
    .bind(schedule.zone.name())
    .bind(schedule.catch_up.name())
    .bind(enabled)
    .bind(next_at)
    .execute(connection)
    .await
    .doing("changing a schedule")?;
    Ok(changed.rows_affected() == 1)
}

pub(crate) async fn forget_old_runs(connection: &mut PgConnection, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM run WHERE ticked_at < $1 - make_interval(days => $2)")
        .bind(now)
        .bind(REMEMBERED_DAYS)
        .execute(connection)
        .await
        .doing("forgetting old runs")?;
    Ok(done.rows_affected())
}
