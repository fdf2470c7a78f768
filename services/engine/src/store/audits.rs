use ferrex_time::Timestamp;
use sqlx::PgExecutor;

use crate::Error;
use crate::error::Doing as _;

/// Writes down that an audit is asked for.
pub(crate) async fn ask_for_audit(db: impl PgExecutor<'_>, at: Timestamp) -> Result<(), Error> {
    sqlx::query("UPDATE audit SET asked_at = $1 WHERE asked_at < $1")
        .bind(at)
        .execute(db)
        .await
        .doing("asking for an audit")
        .map(drop)
}

/// When the newest audit was asked for, unless it is made.
pub(crate) async fn audit_asked_for(db: impl PgExecutor<'_>) -> Result<Option<Timestamp>, Error> {
    sqlx::query_scalar("SELECT asked_at FROM audit WHERE asked_at > answered_at")
        .fetch_optional(db)
        .await
        .doing("looking whether an audit is asked for")
}

/// Writes down that the audit that was asked for then, and with it all before, is made and told.
pub(crate) async fn audit_is_made(db: impl PgExecutor<'_>, asked_at: Timestamp) -> Result<(), Error> {
    sqlx::query("UPDATE audit SET answered_at = $1 WHERE answered_at < $1")
        .bind(asked_at)
        .execute(db)
        .await
        .doing("writing that an audit is made")
        .map(drop)
}
