//! The log's own statements: topics, appending, reading.

use bytes::Bytes;
use ferrex_postgres::{Db, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use crate::transport::{Incoming, Partition, Record, Urgency};
use crate::{Error, Headers};

/// Most messages read from one partition at once.
pub(super) const READ_MAX: u16 = 500;

/// Creates a topic unless it exists; answers how many partitions it has.
pub(super) async fn ensure_topic(
    db: &Db,
    topic: &str,
    partitions: i32,
    retention: i32,
) -> Result<i32, Error> {
    let mut tx = db.begin().await?;
    sqlx::query(
        "INSERT INTO topic (name, partitions, retention_hours) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(topic)
    .bind(partitions)
    .bind(retention)
    .execute(&mut *tx)
    .await
    .doing("creating a topic")?;
    // Also after a topic was given more partitions by hand.
    sqlx::query(
        "INSERT INTO head (topic, partition)
         SELECT name, generate_series(0, partitions - 1) FROM topic WHERE name = $1
         ON CONFLICT DO NOTHING",
    )
    .bind(topic)
    .execute(&mut *tx)
    .await
    .doing("creating a topic's partitions")?;
    let count = sqlx::query_scalar("SELECT partitions FROM topic WHERE name = $1")
        .bind(topic)
        .fetch_one(&mut *tx)
        .await
        .doing("reading a topic")?;
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    Ok(count)
}

macro_rules! append {
    ($first:literal, $from:literal) => {
        concat!(
            "WITH ",
            $first,
            "input AS (
                 SELECT * FROM unnest($1::text[], $2::int4[], $3::bytea[], $4::text[], $5::bytea[])
                 WITH ORDINALITY AS i (topic, partition, key, headers, body, place)
             ),
             wanted AS (
                 SELECT topic, partition, count(*) AS messages FROM input GROUP BY topic, partition
             ),
             -- All publishers lock heads in this order; the lock holds until the commit.
             locked AS MATERIALIZED (
                 SELECT h.topic, h.partition, w.messages
                 FROM head h JOIN wanted w ON w.topic = h.topic AND w.partition = h.partition
                 ORDER BY h.topic, h.partition
                 FOR UPDATE OF h
             ),
             moved AS (
                 UPDATE head h SET next_offset = h.next_offset + l.messages
                 FROM locked l WHERE h.topic = l.topic AND h.partition = l.partition
                 RETURNING h.topic, h.partition, h.next_offset - l.messages AS base
             )
             INSERT INTO record (topic, partition, \"offset\", key, headers, body)
             SELECT i.topic, i.partition,
                    m.base + row_number() OVER (PARTITION BY i.topic, i.partition ORDER BY i.place) - 1,
                    i.key, i.headers, i.body
             FROM input i JOIN moved m ON m.topic = i.topic AND m.partition = i.partition",
            $from
        )
    };
}

const APPEND_DURABLE: &str = append!("", "");
/// The setting holds for this statement's own transaction.
const APPEND_FAST: &str = append!(
    "fast AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)), ",
    " CROSS JOIN fast"
);

/// Appends records to their partitions, in the given order.
pub(super) async fn append(
    db: &Db,
    records: &[Record],
    partitions: &[i32],
    urgency: Urgency,
) -> Result<(), Error> {
    let topics: Vec<&str> = records.iter().map(|record| &*record.topic).collect();
    let keys: Vec<Option<&[u8]>> = records.iter().map(|record| record.key.as_deref()).collect();
    let headers: Vec<String> = records
        .iter()
        .map(|record| serde_json::to_string(&record.headers).expect("headers are pairs of text"))
        .collect();
    let bodies: Vec<Option<&[u8]>> = records.iter().map(|record| record.body.as_deref()).collect();
    let statement = match urgency {
        Urgency::Durable => APPEND_DURABLE,
        Urgency::Fast => APPEND_FAST,
    };
    let stored = sqlx::query(statement)
        .bind(topics)
        .bind(partitions)
        .bind(keys)
        .bind(headers)
        .bind(bodies)
        .execute(db.pool())
        .await
        .doing("appending to the log")?;
    if stored.rows_affected() != records.len() as u64 {
        // A reply partition that its asker made up, which is the asker's loss; everything else is ensured before.
        tracing::warn!(
            sent = records.len(),
            stored = stored.rows_affected(),
            "messages to a partition that does not exist"
        );
    }
    Ok(())
}

/// Place of the position among those asked for, from 1, then offset, time, key, headers and body.
type RecordRow = (i64, i64, Timestamp, Option<Vec<u8>>, String, Option<Vec<u8>>);

/// The next messages of several partitions, in order within each, at most `limit` of each.
pub(super) async fn read(
    connection: &mut PgConnection,
    positions: &[(Partition, i64)],
    limit: u16,
) -> Result<Vec<Incoming>, Error> {
    let topics: Vec<&str> = positions.iter().map(|(partition, _)| &*partition.topic).collect();
    let numbers: Vec<i32> = positions.iter().map(|(partition, _)| partition.number).collect();
    let from: Vec<i64> = positions.iter().map(|(_, position)| *position).collect();
    // A message is visible only once all before it are, so taking what is there skips nothing.
    let rows: Vec<RecordRow> = sqlx::query_as(
        "SELECT p.place, r.*
           FROM unnest($1::text[], $2::int4[], $3::int8[]) WITH ORDINALITY AS p (topic, partition, position, place)
         CROSS JOIN LATERAL (
             SELECT \"offset\", at, key, headers, body FROM record
             WHERE topic = p.topic AND partition = p.partition AND \"offset\" >= p.position
             ORDER BY \"offset\" LIMIT $4
         ) AS r",
    )
    .bind(topics)
    .bind(numbers)
    .bind(from)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .doing("reading the log")?;
    let incoming = |(place, offset, at, key, headers, body): RecordRow| {
        let place = usize::try_from(place - 1).ok()?;
        let (partition, _) = positions.get(place)?;
        let headers: Option<Headers> = serde_json::from_str(&headers).ok();
        Some(Incoming {
            partition: partition.clone(),
            offset,
            key: key.map(Bytes::from),
            headers: headers.unwrap_or_default(),
            body: body.map(Bytes::from),
            at,
        })
    };
    Ok(rows.into_iter().filter_map(incoming).collect())
}

/// The offset that the next message of a partition will get.
pub(super) async fn end(connection: &mut PgConnection, partition: &Partition) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT next_offset FROM head WHERE topic = $1 AND partition = $2")
        .bind(&*partition.topic)
        .bind(partition.number)
        .fetch_one(connection)
        .await
        .doing("reading the end of a partition")
        .map_err(Error::from)
}

/// What came to a partition since `position`, which moves on. A server that crashed may have forgotten the last answers,
/// which were not stored for good, and gives their offsets again.
pub(super) async fn read_on(
    connection: &mut PgConnection,
    partition: &Partition,
    position: &mut i64,
) -> Result<Vec<Incoming>, Error> {
    let found = read(connection, &[(partition.clone(), *position)], READ_MAX).await?;
    match found.last() {
        Some(last) => *position = last.offset + 1,
        None => *position = end(connection, partition).await?.min(*position),
    }
    Ok(found)
}
