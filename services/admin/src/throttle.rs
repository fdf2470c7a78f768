//! How often things may be tried. A try is counted before it is made and given back when it succeeds, so that a thousand
//! tries at once are a thousand tries.

use ferrex_fault::{Classify, Kind};
use ferrex_postgres::SqlResult as _;
use ferrex_time::{Duration, Timestamp};

use crate::Admin;
use crate::config::Limit;

/// Something was tried too often.
#[derive(Debug, thiserror::Error)]
#[error("too many tries; try again in {seconds} seconds")]
pub struct TooMany {
    seconds: i64,
}

impl Classify for TooMany {
    fn kind(&self) -> Kind {
        Kind::Exhausted
    }
    fn code(&self) -> &'static str {
        "admin.too_many_attempts"
    }
    fn retry_after_s(&self) -> Option<u32> {
        u32::try_from(self.seconds).ok()
    }
}

/// A counted try, to give back after a success.
#[derive(Debug)]
pub struct Attempt {
    scope: &'static str,
    subject: Vec<u8>,
}

/// Counts a try of `subject`; the try over the limit is refused.
pub async fn take(
    admin: &Admin,
    scope: &'static str,
    subject: &str,
    limit: Limit,
) -> Result<Result<Attempt, TooMany>, ferrex_postgres::Error> {
    let (now, subject) = (admin.now(), admin.keys.hash(scope, subject.as_bytes()));
    let max = i32::try_from(limit.max).unwrap_or(i32::MAX - 1);
    // One statement, so that tries at the same instant queue on the row. The count stops one above the limit.
    let (taken, ends): (i32, Timestamp) = sqlx::query_as(
        "INSERT INTO attempts (scope, subject, taken, window_ends) VALUES ($1, $2, 1, $4)
         ON CONFLICT (scope, subject) DO UPDATE SET
             taken = CASE WHEN attempts.window_ends <= $3 THEN 1 ELSE LEAST(attempts.taken, $5) + 1 END,
             window_ends = CASE WHEN attempts.window_ends <= $3 THEN $4 ELSE attempts.window_ends END
         RETURNING taken, window_ends",
    )
    .bind(scope)
    .bind(&subject)
    .bind(now)
    .bind(now + Duration::seconds(i64::from(limit.window_s)))
    .bind(max)
    .fetch_one(admin.db.pool())
    .await
    .doing("counting a try")?;
    if taken > max {
        return Ok(Err(TooMany {
            seconds: (ends - now).num_seconds().max(1),
        }));
    }
    Ok(Ok(Attempt { scope, subject }))
}

/// Gives a try back.
pub async fn give_back(admin: &Admin, attempt: &Attempt) -> Result<(), ferrex_postgres::Error> {
    sqlx::query("UPDATE attempts SET taken = GREATEST(taken - 1, 0) WHERE scope = $1 AND subject = $2")
        .bind(attempt.scope)
        .bind(&attempt.subject)
        .execute(admin.db.pool())
        .await
        .map(drop)
        .doing("giving a try back")
}
