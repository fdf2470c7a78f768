use ferrex_ids::HoldId;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::natural;
use crate::Error;
use crate::error::Doing as _;

/// Those of these holds that are closed, with their accounts.
pub(crate) async fn closed_holds_by_id(
    db: impl PgExecutor<'_>,
    ids: &[HoldId],
) -> Result<Vec<(HoldId, u32)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<(Uuid, i32)> = sqlx::query_as("SELECT id, account FROM hold WHERE id = ANY($1) AND closed")
        .bind(ids)
        .fetch_all(db)
        .await
        .doing("looking old holds up")?;
    rows.into_iter()
        .map(|(id, account)| Ok((HoldId::from_uuid(id), natural(account, "account", id)?)))
        .collect()
}
