//! Retention: what is old and read by every group goes.

use std::time::Duration;

use ferrex_postgres::{Db, SqlResult as _};
use tokio_util::sync::CancellationToken;

use crate::Error;

const BATCH: i64 = 5_000;
/// One side cleans at a time.
const LOCK: i64 = 0x6275_7320_636c_6e01;

pub(super) async fn run(db: Db, every: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if let Err(error) = clean(&db).await {
            tracing::debug!(%error, "cleaning the log failed, it will be tried again");
        }
    }
}

/// Deletes batches that are older than their topic keeps them and of which no group has a message still to read; answers how many.
pub(super) async fn clean(db: &Db) -> Result<u64, Error> {
    let mut total = 0;
    loop {
        let mut tx = db.begin().await?;
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *tx)
            .await
            .doing("asking for the cleaner's lock")?;
        if !alone {
            return Ok(total);
        }
        // The oldest batch of each partition tells whether there is anything to do, by one probe of the key.
        let deleted = sqlx::query(
            "WITH bound AS (
                 SELECT h.topic, h.partition, now() - make_interval(hours => t.retention_hours) AS before,
                        coalesce(min(c.position), h.next_offset) AS below
                 FROM head h
                 JOIN topic t ON t.name = h.topic
                 LEFT JOIN claim c ON c.topic = h.topic AND c.partition = h.partition
                 GROUP BY h.topic, h.partition, h.next_offset, t.retention_hours
             ),
             due AS (
                 SELECT b.* FROM bound b CROSS JOIN LATERAL (
                     SELECT at FROM record_batch r WHERE r.topic = b.topic AND r.partition = b.partition
                     ORDER BY r.last_offset LIMIT 1
                 ) AS oldest
                 WHERE oldest.at < b.before
             ),
             old AS (
                 SELECT o.topic, o.partition, o.last_offset FROM due d CROSS JOIN LATERAL (
                     SELECT topic, partition, last_offset, at FROM record_batch r
                     WHERE r.topic = d.topic AND r.partition = d.partition AND r.last_offset < d.below
                     ORDER BY r.last_offset LIMIT $1
                 ) AS o
                 WHERE o.at < d.before
             )
             DELETE FROM record_batch r USING old o
             WHERE r.topic = o.topic AND r.partition = o.partition AND r.last_offset = o.last_offset",
        )
        .bind(BATCH)
        .execute(&mut *tx)
        .await
        .doing("cleaning the log")?
        .rows_affected();
        tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
        total += deleted;
        if deleted == 0 {
            return Ok(total);
        }
    }
}
