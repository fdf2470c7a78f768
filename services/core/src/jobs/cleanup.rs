//! Deletes what is over: sessions, codes, counters. Nothing here is needed for correctness, only for size and privacy.

use ferrex_fault::Fault;
use ferrex_postgres::SqlResult as _;
use ferrex_time::Duration;

use crate::Core;

/// Most rows that go with one statement, so that none holds locks for long.
const ROWS_MAX: u64 = 10_000;
/// How long ended sessions are kept: they say which places are familiar.
const SESSIONS_KEPT: Duration = Duration::days(90);
/// How long uses of codes are kept; a code's step is over after minutes.
const USES_KEPT: Duration = Duration::days(1);
/// How long answered or expired challenges are kept.
const CHALLENGES_KEPT: Duration = Duration::days(1);

/// Deletes what is over, all of it however much came since the last time, and says how many rows that were. Run twice, the
/// second finds nothing.
pub async fn run(core: &Core) -> Result<u64, Fault> {
    let now = core.now();
    let mut deleted = 0;
    for (statement, before) in [
        (
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)",
            now - SESSIONS_KEPT,
        ),
        (
            "DELETE FROM pending_logins WHERE id IN (SELECT id FROM pending_logins WHERE expires_at < $1 LIMIT $2)",
            now,
        ),
        (
            "DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at < $1 LIMIT $2)",
            now - CHALLENGES_KEPT,
        ),
        (
            "DELETE FROM user_name_claims
              WHERE user_name IN (SELECT user_name FROM user_name_claims WHERE reserved_until < $1 LIMIT $2)",
            now,
        ),
        (
            "DELETE FROM totp_enrolments
              WHERE user_id IN (SELECT user_id FROM totp_enrolments WHERE expires_at < $1 LIMIT $2)",
            now,
        ),
        (
            "DELETE FROM factor_uses
              WHERE (user_id, proof) IN (SELECT user_id, proof FROM factor_uses WHERE used_at < $1 LIMIT $2)",
            now - USES_KEPT,
        ),
        (
            "DELETE FROM attempts
              WHERE (scope, subject) IN (SELECT scope, subject FROM attempts WHERE window_ends < $1 LIMIT $2)",
            now,
        ),
        (
            "DELETE FROM login_guards
              WHERE subject IN (SELECT subject FROM login_guards WHERE window_ends < $1 LIMIT $2)",
            now,
        ),
    ] {
        loop {
            let done = sqlx::query(statement)
                .bind(before)
                .bind(ROWS_MAX.cast_signed())
                .execute(core.db.pool())
                .await
                .doing("deleting what is over")?;
            deleted += done.rows_affected();
            if done.rows_affected() < ROWS_MAX {
                break;
            }
        }
    }
    tracing::debug!(deleted, "cleaned up");
    Ok(deleted)
}
