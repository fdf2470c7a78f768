//! Cursors, leases and block hashes in PostgreSQL. Leases run by the database's clock.

use ferrex_chains::evm::{B256, follower::Cursor};
use ferrex_postgres::{Error as DbError, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

/// A lease on a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Rises with every change of owner.
    pub epoch: i64,
    /// The first block to look at, if staff named one.
    pub start_height: Option<i64>,
}

/// Takes or keeps a network's lease; `None` while another follower has it.
pub async fn lease(
    connection: &mut PgConnection,
    network: &str,
    owner: Uuid,
    seconds: u32,
) -> Result<Option<Lease>, DbError> {
    let row: Option<(i64, Option<i64>)> = sqlx::query_as(
        "UPDATE chain_cursor
            SET epoch = epoch + CASE WHEN owner = $2 AND lease_until > now() THEN 0 ELSE 1 END,
                owner = $2, lease_until = now() + $3 * interval '1 second'
          WHERE network = $1 AND (owner = $2 OR lease_until < now())
         RETURNING epoch, start_height",
    )
    .bind(network)
    .bind(owner)
    .bind(i64::from(seconds))
    .fetch_optional(connection)
    .await
    .doing("taking a network's lease")?;
    Ok(row.map(|(epoch, start_height)| Lease { epoch, start_height }))
}

/// Gives a lease up, so that another follower need not wait for its end.
pub async fn release(connection: &mut PgConnection, network: &str, owner: Uuid) -> Result<(), DbError> {
    sqlx::query("UPDATE chain_cursor SET lease_until = '-infinity' WHERE network = $1 AND owner = $2")
        .bind(network)
        .bind(owner)
        .execute(connection)
        .await
        .doing("giving up a network's lease")
        .map(drop)
}

/// The stored blocks, newest first.
pub async fn stored(
    connection: &mut PgConnection,
    network: &str,
    limit: u16,
) -> Result<Vec<Cursor>, DbError> {
    let rows: Vec<(i64, [u8; 32])> = sqlx::query_as(
        "SELECT height, hash FROM chain_block WHERE network = $1 ORDER BY height DESC LIMIT $2",
    )
    .bind(network)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .doing("reading the stored blocks")?;
    Ok(rows
        .into_iter()
        .map(|(height, hash)| Cursor {
            height: height.cast_unsigned(),
            hash: B256::new(hash),
        })
        .collect())
}

/// Sets the block from which a network is followed; false if this follower may not.
pub async fn anchor(tx: &mut PgConnection, network: &str, epoch: i64, at: Cursor) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE chain_cursor SET height = $3, hash = $4 WHERE network = $1 AND epoch = $2 AND height IS NULL",
    )
    .bind(network)
    .bind(epoch)
    .bind(at.height.cast_signed())
    .bind(at.hash.0)
    .execute(&mut *tx)
    .await
    .doing("setting a network's first block")?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    insert_block(tx, network, at).await?;
    Ok(true)
}

/// Moves the cursor from one block to another, under one epoch; false if it is elsewhere or the lease is lost.
pub async fn advance(
    tx: &mut PgConnection,
    network: &str,
    epoch: i64,
    from: Cursor,
    to: Cursor,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE chain_cursor SET height = $5, hash = $6
          WHERE network = $1 AND epoch = $2 AND height = $3 AND hash = $4",
    )
    .bind(network)
    .bind(epoch)
    .bind(from.height.cast_signed())
    .bind(from.hash.0)
    .bind(to.height.cast_signed())
    .bind(to.hash.0)
    .execute(tx)
    .await
    .doing("moving a network's cursor")?;
    Ok(done.rows_affected() == 1)
}

/// Keeps a block's hash.
pub async fn insert_block(tx: &mut PgConnection, network: &str, block: Cursor) -> Result<(), DbError> {
    sqlx::query("INSERT INTO chain_block (network, height, hash) VALUES ($1, $2, $3)")
        .bind(network)
        .bind(block.height.cast_signed())
        .bind(block.hash.0)
        .execute(tx)
        .await
        .doing("keeping a block's hash")
        .map(drop)
}

/// Forgets blocks that no reorganisation reaches.
pub async fn prune(tx: &mut PgConnection, network: &str, height: u64, kept: u16) -> Result<(), DbError> {
    sqlx::query("DELETE FROM chain_block WHERE network = $1 AND height <= $2")
        .bind(network)
        .bind(height.cast_signed() - i64::from(kept))
        .execute(tx)
        .await
        .doing("forgetting old blocks")
        .map(drop)
}

/// Forgets the blocks above the last common one, and records that it happened.
pub async fn take_back(
    tx: &mut PgConnection,
    network: &str,
    from: Cursor,
    to: Cursor,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM chain_block WHERE network = $1 AND height > $2")
        .bind(network)
        .bind(to.height.cast_signed())
        .execute(&mut *tx)
        .await
        .doing("forgetting blocks that are gone")?;
    sqlx::query(
        "INSERT INTO chain_reorganisation (network, from_height, from_hash, to_height, seen_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(network)
    .bind(from.height.cast_signed())
    .bind(from.hash.0)
    .bind(to.height.cast_signed())
    .bind(at)
    .execute(tx)
    .await
    .doing("recording a reorganisation")
    .map(drop)
}

/// Says how the chain looked, for people.
pub async fn set_seen(
    connection: &mut PgConnection,
    network: &str,
    problem: Option<&str>,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("UPDATE chain_cursor SET problem = $2, checked_at = $3 WHERE network = $1")
        .bind(network)
        .bind(problem)
        .bind(at)
        .execute(connection)
        .await
        .doing("writing how a network looks")
        .map(drop)
}
