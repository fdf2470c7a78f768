//! What a broker took from the outbox in the last hour, kept by the batch for the case that the broker loses it.

use std::collections::HashMap;

use ferrex_postgres::{SqlResult as _, column_of};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::relay::{Columns, OutboxRow};
use crate::{Bus, Error, Place, Receipt, Watch, ends};

/// The last place in each partition that a broker gave to what came from this outbox.
pub(super) async fn watch(connection: &mut PgConnection) -> Result<Watch, Error> {
    let last: Vec<(String, i32, i64)> =
        sqlx::query_as("SELECT topic, partition, last_offset FROM published_end")
            .fetch_all(connection)
            .await
            .doing("reading what was published")?;
    let mark = |(topic, partition, offset)| ((topic, partition), offset);
    Ok(Watch::new(last.into_iter().map(mark)))
}

/// Moves messages that the broker has out of the outbox, and keeps them as a batch with their receipts.
pub(super) async fn keep(
    connection: &mut PgConnection,
    rows: &[OutboxRow],
    receipts: &[Receipt],
) -> Result<(), Error> {
    let topics = rows.iter().map(|row| &*row.message.topic);
    let (of_topic, of_partition, last_offset) = ends(topics.zip(receipts.iter().copied()));
    sqlx::query(
        "WITH gone AS (DELETE FROM outbox WHERE seq = ANY($1)),
              ends AS (INSERT INTO published_end (topic, partition, last_offset)
                       SELECT * FROM unnest($4::text[], $5::integer[], $6::bigint[])
                       -- One that has gone back stays as it is until its loss is made good.
                       ON CONFLICT (topic, partition)
                       DO UPDATE SET last_offset = greatest(published_end.last_offset, excluded.last_offset))
         INSERT INTO published (first_seq, topics, partitions, ids, message_types, keys, ats, sources, traceparents, bodies)
         VALUES (($1::bigint[])[1], $2, $3, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(column_of(rows, |row| row.seq))
    .bind(column_of(rows, |row| &*row.message.topic))
    .bind(column_of(receipts, |receipt| receipt.partition))
    .bind(of_topic)
    .bind(of_partition)
    .bind(last_offset)
    .bind(column_of(rows, |row| row.message.id.uuid()))
    .bind(column_of(rows, |row| &*row.message.message_type))
    .bind(column_of(rows, |row| &*row.message.key))
    .bind(column_of(rows, |row| row.message.at))
    .bind(column_of(rows, |row| &*row.message.source))
    .bind(column_of(rows, |row| row.message.traceparent.as_deref()))
    .bind(column_of(rows, |row| &*row.message.body))
    .execute(connection)
    .await
    .doing("moving what is published out of the outbox")?;
    Ok(())
}

/// A message of a batch, and its place there from 1 on.
struct Kept {
    place: i64,
    row: OutboxRow,
}

impl<'r> sqlx::FromRow<'r, PgRow> for Kept {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            place: row.try_get("place")?,
            row: Columns::from_row(row)?.into(),
        })
    }
}

/// The messages that went to a partition, of the first batch after `first_seq` that has any.
async fn next(
    connection: &mut PgConnection,
    (topic, partition): &Place,
    first_seq: i64,
) -> Result<Vec<Kept>, Error> {
    sqlx::query_as(
        "WITH batch AS (
             SELECT * FROM published
              WHERE first_seq > $3
                AND EXISTS (SELECT FROM unnest(topics, partitions) AS m (topic, partition) WHERE m.topic = $1 AND m.partition = $2)
              ORDER BY first_seq LIMIT 1)
         SELECT b.first_seq, m.id, m.topic, m.message_type, m.key, m.at, m.source, m.traceparent, m.body, m.place
           FROM batch b,
                unnest(b.topics, b.partitions, b.ids, b.message_types, b.keys, b.ats, b.sources, b.traceparents, b.bodies)
                WITH ORDINALITY AS m (topic, partition, id, message_type, key, at, source, traceparent, body, place)
          WHERE m.topic = $1 AND m.partition = $2
          ORDER BY m.place",
    )
    .bind(topic)
    .bind(partition)
    .bind(first_seq)
    .fetch_all(connection)
    .await
    .doing("reading what was published")
    .map_err(Error::from)
}

/// Publishes what the broker took for a partition and is still kept, in its order; answers how much that was. A message that
/// the broker has after all comes twice, which inboxes see.
pub(super) async fn again(
    connection: &mut PgConnection,
    bus: &Bus,
    watch: &mut Watch,
    place: &Place,
) -> Result<usize, Error> {
    let (mut first_seq, mut count) = (0, 0);
    let mut ends: HashMap<i32, i64> = HashMap::new();
    loop {
        let kept = next(connection, place, first_seq).await?;
        let Some(first) = kept.first() else { break };
        first_seq = first.row.seq;
        count += kept.len();
        let receipts = bus
            .publish(column_of(&kept, |kept| kept.row.message.clone()))
            .await?;
        watch.note(receipts.iter().map(|receipt| (&*place.0, *receipt)));
        ends.extend(receipts.iter().map(|receipt| (receipt.partition, receipt.offset)));
        moved(connection, first_seq, &kept, &receipts).await?;
    }
    // Not before all of it is published: until then whoever begins anew sees the loss.
    let mut tx = connection
        .begin()
        .await
        .doing("noting what was published again")?;
    sqlx::query("DELETE FROM published_end WHERE topic = $1 AND partition = $2")
        .bind(&place.0)
        .bind(place.1)
        .execute(&mut *tx)
        .await
        .doing("forgetting where it was published")?;
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = ends.into_iter().unzip();
    sqlx::query(
        "INSERT INTO published_end (topic, partition, last_offset)
         SELECT $1, r.partition, r.last_offset FROM unnest($2::integer[], $3::bigint[]) AS r (partition, last_offset)
         ON CONFLICT (topic, partition) DO UPDATE SET last_offset = excluded.last_offset",
    )
    .bind(&place.0)
    .bind(partitions)
    .bind(offsets)
    .execute(&mut *tx)
    .await
    .doing("noting where it was published again")?;
    tx.commit().await.doing("noting what was published again")?;
    Ok(count)
}

/// Notes to which partitions messages of a batch have gone now; to none over a transport that gives no receipts.
async fn moved(
    connection: &mut PgConnection,
    first_seq: i64,
    kept: &[Kept],
    receipts: &[Receipt],
) -> Result<(), Error> {
    let partitions: Vec<Option<i32>> = receipts
        .iter()
        .map(|receipt| Some(receipt.partition))
        .chain(std::iter::repeat(None))
        .take(kept.len())
        .collect();
    sqlx::query(
        "UPDATE published SET partitions = (
             SELECT array_agg(CASE WHEN fresh.place IS NULL THEN was.partition ELSE fresh.partition END ORDER BY was.place)
               FROM unnest(partitions) WITH ORDINALITY AS was (partition, place)
               LEFT JOIN unnest($2::bigint[], $3::integer[]) AS fresh (place, partition) ON fresh.place = was.place)
          WHERE first_seq = $1",
    )
    .bind(first_seq)
    .bind(column_of(kept, |kept| kept.place))
    .bind(partitions)
    .execute(connection)
    .await
    .doing("noting what was published again")?;
    Ok(())
}

/// Forgets what was published more than an hour ago.
pub(super) async fn forget(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("DELETE FROM published WHERE published_at < now() - interval '1 hour'")
        .execute(connection)
        .await
        .doing("forgetting what was published long ago")?;
    Ok(())
}
