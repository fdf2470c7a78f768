//! Snapshots as rows: a head and the bytes in parts.

use ferrex_engine_core::LastRow;
use ferrex_ids::CommandId;
use futures::TryStreamExt as _;
use sqlx::{Connection as _, PgConnection, PgExecutor, Row as _};
use tokio::time::Instant;
use uuid::Uuid;

use super::natural;
use crate::Error;
use crate::error::Doing as _;

/// Bytes a row.
const PART: usize = 1 << 20;

/// The head of a stored snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredSnapshot {
    pub(crate) id: i64,
    pub(crate) journal_id: u64,
    pub(crate) bytes: u64,
}

/// The snapshots of a shard, the newest first.
pub(crate) async fn snapshots(db: impl PgExecutor<'_>, shard: u16) -> Result<Vec<StoredSnapshot>, Error> {
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT id, journal_id, bytes FROM snapshot WHERE shard = $1 ORDER BY journal_id DESC, id DESC",
    )
    .bind(shard.cast_signed())
    .fetch_all(db)
    .await
    .doing("listing the snapshots")?;
    rows.into_iter()
        .map(|(id, journal_id, bytes)| {
            Ok(StoredSnapshot {
                id,
                journal_id: natural(journal_id, "journal_id", id)?,
                bytes: natural(bytes, "bytes", id)?,
            })
        })
        .collect()
}

/// The bytes of a snapshot, as far as they are there.
pub(crate) async fn snapshot_bytes(
    connection: &mut PgConnection,
    snapshot: StoredSnapshot,
) -> Result<Vec<u8>, Error> {
    const DOING: &str = "reading a snapshot";
    let mut bytes = Vec::new();
    // A length that is no length is told by what does not fit it.
    let _ = bytes.try_reserve(usize::try_from(snapshot.bytes).unwrap_or(0));
    let mut parts = sqlx::query("SELECT bytes FROM snapshot_part WHERE snapshot = $1 ORDER BY place")
        .bind(snapshot.id)
        .fetch(connection);
    while let Some(part) = parts.try_next().await.doing(DOING)? {
        bytes.extend_from_slice(part.try_get(0).doing(DOING)?);
    }
    Ok(bytes)
}

/// Stores a snapshot, unless one of `not_after` rows or more is there already, and deletes all but the `keep` newest. Half of the
/// time is left to whatever else the database does.
pub(crate) async fn store_snapshot(
    connection: &mut PgConnection,
    shard: u16,
    journal_id: u64,
    bytes: &[u8],
    not_after: u64,
    keep: u32,
) -> Result<bool, Error> {
    let mut tx = connection.begin().await.doing("beginning a snapshot")?;
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO snapshot (shard, journal_id, bytes)
         SELECT $1, $2, $3
          WHERE NOT EXISTS (SELECT FROM snapshot WHERE shard = $1 AND journal_id BETWEEN $4 AND $2)
         RETURNING id",
    )
    .bind(shard.cast_signed())
    .bind(journal_id.cast_signed())
    .bind((bytes.len() as u64).cast_signed())
    .bind(not_after.cast_signed())
    .fetch_optional(&mut *tx)
    .await
    .doing("storing a snapshot")?;
    let Some(id) = id else { return Ok(false) };
    for (place, part) in (0i32..).zip(bytes.chunks(PART)) {
        let begun = Instant::now();
        sqlx::query("INSERT INTO snapshot_part (snapshot, place, bytes) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(place)
            .bind(part)
            .execute(&mut *tx)
            .await
            .doing("storing a part of a snapshot")?;
        tokio::time::sleep(begun.elapsed()).await;
    }
    sqlx::query(
        "DELETE FROM snapshot WHERE shard = $1
            AND id NOT IN (SELECT id FROM snapshot WHERE shard = $1 ORDER BY journal_id DESC, id DESC LIMIT $2)",
    )
    .bind(shard.cast_signed())
    .bind(i64::from(keep))
    .execute(&mut *tx)
    .await
    .doing("deleting old snapshots")?;
    tx.commit().await.doing("committing a snapshot")?;
    Ok(true)
}

/// What identifies a journal row that ends a command; `None` when there is no such row.
pub(crate) async fn last_row(db: impl PgExecutor<'_>, id: u64) -> Result<Option<LastRow>, Error> {
    let row: Option<(Uuid, i64)> = sqlx::query_as(
        "SELECT command, fingerprint FROM journal WHERE batch = (SELECT batch_of($1)) AND id = $1 AND last",
    )
    .bind(id.cast_signed())
    .fetch_optional(db)
    .await
    .doing("reading the row of a snapshot")?;
    Ok(row.map(|(command, fingerprint)| LastRow {
        id,
        command: CommandId::from_uuid(command),
        fingerprint: fingerprint.cast_unsigned(),
    }))
}
