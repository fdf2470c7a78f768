//! Who gives the ticks: a lease in the database, by the database's clock, with an epoch that fences.

use std::time::Duration;

use ferrex_postgres::{Error as DbError, SqlResult as _};
use sqlx::PgConnection;
use uuid::Uuid;

/// That this process leads, as long as nobody else took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) holder: Uuid,
    pub(crate) epoch: i64,
}

/// Takes the lease if it is free or over, or renews our own. A renewal keeps the epoch.
pub(crate) async fn take(
    connection: &mut PgConnection,
    holder: Uuid,
    lease: Duration,
) -> Result<Option<Leadership>, DbError> {
    let epoch: Option<i64> = sqlx::query_scalar(
        "INSERT INTO leader (holder, epoch, until) VALUES ($1, 1, clock_timestamp() + make_interval(secs => $2))
         ON CONFLICT (only_row) DO UPDATE SET
             epoch = leader.epoch + CASE WHEN leader.holder = $1 THEN 0 ELSE 1 END,
             holder = $1,
             until = clock_timestamp() + make_interval(secs => $2)
         WHERE leader.holder = $1 OR leader.until < clock_timestamp()
         RETURNING epoch",
    )
    .bind(holder)
    .bind(lease.as_secs_f64())
    .fetch_optional(connection)
    .await
    .doing("taking the lead")?;
    Ok(epoch.map(|epoch| Leadership { holder, epoch }))
}

/// Whether this leadership stands, and keeps it standing until the transaction ends: a take-over waits for the row.
pub(crate) async fn holds(connection: &mut PgConnection, lead: &Leadership) -> Result<bool, DbError> {
    let found: Option<bool> =
        sqlx::query_scalar("SELECT true FROM leader WHERE holder = $1 AND epoch = $2 FOR SHARE")
            .bind(lead.holder)
            .bind(lead.epoch)
            .fetch_optional(connection)
            .await
            .doing("checking the lead")?;
    Ok(found.is_some())
}

/// Gives the lease up, so that the next one need not wait for its end.
pub(crate) async fn give_up(connection: &mut PgConnection, lead: &Leadership) -> Result<(), DbError> {
    sqlx::query("UPDATE leader SET until = '-infinity' WHERE holder = $1 AND epoch = $2")
        .bind(lead.holder)
        .bind(lead.epoch)
        .execute(connection)
        .await
        .map(drop)
        .doing("giving up the lead")
}
