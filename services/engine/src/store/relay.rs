use sqlx::PgExecutor;

use super::natural;
use crate::Error;
use crate::error::Doing as _;

/// The journal row up to which the bus has been told.
pub(crate) async fn relay_cursor(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let id: i64 = sqlx::query_scalar("SELECT journal_id FROM relay")
        .fetch_one(db)
        .await
        .doing("reading the relay's row")?;
    natural(id, "journal_id", "relay")
}

/// Moves it forward, never back: a former owner may still be publishing.
pub(crate) async fn set_relay_cursor(db: impl PgExecutor<'_>, id: u64) -> Result<(), Error> {
    sqlx::query("UPDATE relay SET journal_id = $1 WHERE journal_id < $1")
        .bind(id.cast_signed())
        .execute(db)
        .await
        .map(drop)
        .doing("moving the relay's row")
}
