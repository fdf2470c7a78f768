//! The log's own statements: topics, appending, reading.

use std::collections::BTreeMap;

use bytes::Bytes;
use ferrex_postgres::{Db, SqlResult as _, entry};
use ferrex_time::Timestamp;
use sqlx::PgConnection;

use crate::transport::{Incoming, Partition, Record, Urgency};
use crate::{Error, Headers};

/// With this many messages of one partition no more batches of it are read at once.
pub(super) const READ_MAX: u16 = 500;
/// Most messages that are published by one statement, and so by one row.
const BATCH_MAX: usize = 4_096;

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

/// What is published together to one partition.
#[derive(sqlx::Encode)]
struct BatchEntry<'r> {
    topic: &'r str,
    partition: i32,
    keys: Vec<Option<&'r [u8]>>,
    headers: Vec<String>,
    bodies: Vec<Option<&'r [u8]>>,
}

entry!(BatchEntry<'_>, "record_batch_entry");

macro_rules! append {
    ($first:literal, $from:literal) => {
        concat!(
            "WITH ",
            $first,
            "input AS (
                 SELECT *, cardinality(headers) AS messages FROM unnest($1::record_batch_entry[])
             ),
             -- All publishers lock heads in this order; the lock holds until the commit.
             locked AS MATERIALIZED (
                 SELECT h.topic, h.partition, i.messages
                 FROM head h JOIN input i ON i.topic = h.topic AND i.partition = h.partition
                 ORDER BY h.topic, h.partition
                 FOR UPDATE OF h
             ),
             moved AS (
                 UPDATE head h SET next_offset = h.next_offset + l.messages
                 FROM locked l WHERE h.topic = l.topic AND h.partition = l.partition
                 RETURNING h.topic, h.partition, h.next_offset
             )
             INSERT INTO record_batch (topic, partition, first_offset, last_offset, keys, headers, bodies)
             SELECT i.topic, i.partition, m.next_offset - i.messages, m.next_offset - 1, i.keys, i.headers, i.bodies
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
    let statement = match urgency {
        Urgency::Durable => APPEND_DURABLE,
        Urgency::Fast => APPEND_FAST,
    };
    for (records, partitions) in records.chunks(BATCH_MAX).zip(partitions.chunks(BATCH_MAX)) {
        let batches = batches(records, partitions);
        let sent = batches.len();
        let stored = sqlx::query(statement)
            .bind(batches)
            .execute(db.pool())
            .await
            .doing("appending to the log")?
            .rows_affected();
        if stored != sent as u64 {
            // A reply partition that its asker made up, which is the asker's loss; everything else is ensured before.
            tracing::warn!(sent, stored, "batches to a partition that does not exist");
        }
    }
    Ok(())
}

/// Records by the partition they go to, in order within each.
fn batches<'r>(records: &'r [Record], partitions: &[i32]) -> Vec<BatchEntry<'r>> {
    let mut batches: BTreeMap<(&str, i32), BatchEntry<'r>> = BTreeMap::new();
    for (record, partition) in records.iter().zip(partitions) {
        let batch = batches
            .entry((&*record.topic, *partition))
            .or_insert_with(|| BatchEntry {
                topic: &record.topic,
                partition: *partition,
                keys: Vec::new(),
                headers: Vec::new(),
                bodies: Vec::new(),
            });
        batch.keys.push(record.key.as_deref());
        batch
            .headers
            .push(serde_json::to_string(&record.headers).expect("headers are pairs of text"));
        batch.bodies.push(record.body.as_deref());
    }
    batches.into_values().collect()
}

type Values = Vec<Option<Vec<u8>>>;
/// Place of the position among those asked for, from 1, then first offset and time of a batch, and keys, headers and bodies of its
/// messages.
type BatchRow = (i64, i64, Timestamp, Values, Vec<String>, Values);

/// The next messages of several partitions, in order within each: whole batches until there are `limit` of one partition.
pub(super) async fn read(
    connection: &mut PgConnection,
    positions: &[(Partition, i64)],
    limit: u16,
) -> Result<Vec<Incoming>, Error> {
    let topics: Vec<&str> = positions.iter().map(|(partition, _)| &*partition.topic).collect();
    let numbers: Vec<i32> = positions.iter().map(|(partition, _)| partition.number).collect();
    let from: Vec<i64> = positions.iter().map(|(_, position)| *position).collect();
    // A batch is visible only once all before it are, so taking what is there skips nothing.
    let rows: Vec<BatchRow> = sqlx::query_as(
        "SELECT p.place, r.first_offset, r.at, r.keys, r.headers, r.bodies
           FROM unnest($1::text[], $2::int4[], $3::int8[]) WITH ORDINALITY AS p (topic, partition, position, place)
         CROSS JOIN LATERAL (
             SELECT *, first_value(first_offset) OVER (ORDER BY last_offset ROWS UNBOUNDED PRECEDING) AS begin
             FROM record_batch
             WHERE topic = p.topic AND partition = p.partition AND last_offset >= p.position
             ORDER BY last_offset LIMIT $4
         ) AS r
         WHERE r.first_offset < greatest(p.position, r.begin) + $4",
    )
    .bind(topics)
    .bind(numbers)
    .bind(from)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
    .doing("reading the log")?;
    let mut found = Vec::new();
    for (place, first, at, keys, headers, bodies) in rows {
        let Some((partition, position)) = usize::try_from(place - 1)
            .ok()
            .and_then(|place| positions.get(place))
        else {
            continue;
        };
        let messages = (first..).zip(keys).zip(headers).zip(bodies);
        // The position may lie within a batch.
        for (((offset, key), headers), body) in messages.skip_while(|(((offset, _), _), _)| offset < position)
        {
            let headers: Option<Headers> = serde_json::from_str(&headers).ok();
            found.push(Incoming {
                partition: partition.clone(),
                offset,
                key: key.map(Bytes::from),
                headers: headers.unwrap_or_default(),
                body: body.map(Bytes::from),
                at,
            });
        }
    }
    Ok(found)
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
