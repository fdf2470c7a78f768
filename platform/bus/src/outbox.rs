//! The outbox: messages written with the change they tell of, published afterwards by the service's relay.
//!
//! A row's number follows the order of insertion. A writer holds its aggregate's lock, so within one aggregate the
//! numbers follow the commits; between aggregates they need not. The relay therefore never remembers a last number: it
//! publishes what is there, in order, and deletes it. One relay a schema is at work (an advisory lock on its
//! connection), others stand by. A crash between publishing and deleting publishes again, in the same order, and the
//! inboxes of the readers see to the rest.
//!
//! What a broker took is kept for an hour in the table `published`, with the places that it gave them. When a partition
//! turns out to end before the last of them, all that went there within that hour is published again, before anything new.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use ferrex_fault::Fault;
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, SqlResult as _};
use ferrex_runtime::{Backoff, kill};
use ferrex_time::Timestamp;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Bus, Error, Outgoing, Place, Receipt, Watch};

/// Most messages published at once.
const BATCH: u16 = 1_000;
/// How often a relay looks without being told; other processes of the service write to the same outbox.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How soon a relay looks again after a message was put down in its process: the commit is about to follow.
const LOOK_AFTER_PUT: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(4),
    Duration::from_millis(8),
    Duration::from_millis(16),
];
/// How long a batch that is being published at shutdown may take; given up, it is published again by the next relay.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// How often what the broker took long ago is forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// How often a relay that stands by asks whether the other has gone.
const STAND_BY: Duration = Duration::from_secs(1);

/// Wakes the relay of a schema (the name that messages carry as their source) within this process. Only a hint: what is
/// to be published stands in the table.
static PUT: LazyLock<Mutex<HashMap<String, Arc<Notify>>>> = LazyLock::new(Mutex::default);

fn put_down(schema: &str) -> Arc<Notify> {
    let mut waiting = PUT.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(waiting.entry(schema.to_owned()).or_default())
}

/// Writes a message in the transaction of the change it tells of. The caller holds the aggregate's lock.
pub async fn put(tx: &mut PgConnection, message: &Outgoing) -> Result<(), Error> {
    put_all(tx, std::slice::from_ref(message)).await
}

/// Writes several messages, in this order.
pub async fn put_all(tx: &mut PgConnection, messages: &[Outgoing]) -> Result<(), Error> {
    if messages.is_empty() {
        return Ok(());
    }
    for message in messages {
        message.check_size()?;
    }
    let texts = |of: fn(&Outgoing) -> &str| -> Vec<&str> { messages.iter().map(of).collect() };
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id.uuid()).collect();
    let at: Vec<Timestamp> = messages.iter().map(|message| message.at).collect();
    let traces: Vec<Option<&str>> = messages
        .iter()
        .map(|message| message.traceparent.as_deref())
        .collect();
    let bodies: Vec<&[u8]> = messages.iter().map(|message| &message.body[..]).collect();
    // Numbers are given out in the order of the rows.
    sqlx::query(
        "INSERT INTO outbox (id, topic, message_type, key, at, source, traceparent, body)
         SELECT id, topic, message_type, key, at, source, traceparent, body
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::bytea[])
                WITH ORDINALITY AS m (id, topic, message_type, key, at, source, traceparent, body, place)
          ORDER BY place",
    )
    .bind(ids)
    .bind(texts(|message| &message.topic))
    .bind(texts(|message| &message.message_type))
    .bind(texts(|message| &message.key))
    .bind(at)
    .bind(texts(|message| &message.source))
    .bind(traces)
    .bind(bodies)
    .execute(tx)
    .await
    .doing("writing to the outbox")?;
    for message in messages {
        put_down(&message.source).notify_one();
    }
    Ok(())
}

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Backlog {
    /// How many messages.
    pub messages: i64,
    /// When the oldest was written.
    pub oldest: Option<Timestamp>,
}

/// What waits in the service's outbox, for metrics and the checks after tests.
pub async fn backlog(db: &Db) -> Result<Backlog, Error> {
    sqlx::query_as("SELECT count(*) AS messages, min(created_at) AS oldest FROM outbox")
        .fetch_one(db.pool())
        .await
        .doing("counting the outbox")
        .map_err(Error::from)
}

/// Publishes the service's outbox until `shutdown` is cancelled. Database and broker may come and go meanwhile.
pub async fn relay(db: &Db, bus: &Bus, shutdown: CancellationToken) -> Result<(), Error> {
    let mut pauses = Backoff::default();
    while !shutdown.is_cancelled() {
        let Err(error) = work(db, bus, &shutdown, &mut pauses).await else {
            continue;
        };
        let pause = pauses.next_pause();
        if pauses.failures() == 1 {
            tracing::warn!(
                reason = Fault::from(error).chain(),
                "the outbox cannot be relayed, trying again"
            );
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

/// On a connection of its own, whose end gives the lock back in whatever way this ends.
async fn work(db: &Db, bus: &Bus, shutdown: &CancellationToken, pauses: &mut Backoff) -> Result<(), Error> {
    let mut connection = db
        .pool()
        .acquire()
        .await
        .map_err(ferrex_postgres::Error::Connect)?
        .detach();
    // A peer that vanished without a word must not keep the lock for the hours that TCP would wait.
    sqlx::raw_sql(
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
    )
    .execute(&mut connection)
    .await
    .doing("preparing the relay's connection")?;
    let schema: String = sqlx::query_scalar("SELECT coalesce(current_schema(), '')")
        .fetch_one(&mut connection)
        .await
        .doing("reading the schema's name")?;
    let put = put_down(&schema);
    while !lead(&mut connection, &schema).await? {
        pauses.reset();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(STAND_BY) => {}
        }
    }
    let mut relay = Relay {
        watch: watch(&mut connection).await?,
        connection,
        bus,
        stored: Stored::default(),
        ahead: None,
        forget: Instant::now(),
    };
    let mut soon = LOOK_AFTER_PUT.iter();
    loop {
        let given_up = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FINISH_WITHIN).await;
        };
        let published = tokio::select! {
            published = relay.turn() => Some(published?),
            () = given_up => None,
        };
        let Some(published) = published else { break };
        pauses.reset();
        if shutdown.is_cancelled() {
            break;
        }
        if published == u64::from(BATCH) {
            continue;
        }
        let pause = soon.next().copied().unwrap_or(LOOK_EVERY);
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
            () = put.notified() => {
                tokio::time::sleep(LOOK_AFTER_PUT[0]).await;
                soon = LOOK_AFTER_PUT[1..].iter();
            }
        }
    }
    relay.finish().await?;
    let _ = relay.connection.close().await;
    Ok(())
}

async fn lead(connection: &mut PgConnection, schema: &str) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 1))")
        .bind(format!("outbox/{schema}"))
        .fetch_one(connection)
        .await
        .doing("asking for the relay's lock")
        .map_err(Error::from)
}

#[derive(sqlx::FromRow)]
struct OutboxRow {
    seq: i64,
    id: Uuid,
    topic: String,
    message_type: String,
    key: String,
    at: Timestamp,
    source: String,
    traceparent: Option<String>,
    body: Vec<u8>,
}

impl OutboxRow {
    fn into_outgoing(self) -> Outgoing {
        Outgoing {
            id: MessageId::from_uuid(self.id),
            topic: self.topic,
            message_type: self.message_type,
            key: self.key,
            at: self.at,
            source: self.source,
            traceparent: self.traceparent,
            body: self.body,
        }
    }
}

/// The last place in each partition that a broker gave to what came from this outbox.
async fn watch(connection: &mut PgConnection) -> Result<Watch, Error> {
    let last: Vec<(String, i32, i64)> =
        sqlx::query_as("SELECT topic, partition, max(\"offset\") FROM published GROUP BY topic, partition")
            .fetch_all(connection)
            .await
            .doing("reading what was published")?;
    let mark = |(topic, partition, offset)| ((topic, partition), offset);
    Ok(Watch::new(last.into_iter().map(mark)))
}

/// Messages, and the topics that they go to.
fn outgoing(rows: Vec<OutboxRow>) -> (Vec<String>, Vec<Outgoing>) {
    rows.into_iter()
        .map(|row| (row.topic.clone(), row.into_outgoing()))
        .unzip()
}

/// What the broker has and still stands in the outbox.
#[derive(Default)]
struct Stored {
    seqs: Vec<i64>,
    /// Of each, unless the transport gives none.
    receipts: Vec<Receipt>,
}

/// The oldest messages that are not among `but`.
async fn read(connection: &mut PgConnection, but: &[i64]) -> Result<Vec<OutboxRow>, Error> {
    sqlx::query_as(
        "SELECT seq, id, topic, message_type, key, at, source, traceparent, body FROM outbox
          WHERE seq <> ALL($1) ORDER BY seq LIMIT $2",
    )
    .bind(but)
    .bind(i64::from(BATCH))
    .fetch_all(connection)
    .await
    .doing("reading the outbox")
    .map_err(Error::from)
}

/// Takes messages out of the outbox that the broker has, and keeps those that it gave receipts for.
async fn take_out(connection: &mut PgConnection, stored: Stored) -> Result<(), Error> {
    let Stored { seqs, receipts } = stored;
    if seqs.is_empty() {
        return Ok(());
    }
    if receipts.is_empty() {
        sqlx::query("DELETE FROM outbox WHERE seq = ANY($1)")
            .bind(&seqs)
            .execute(connection)
            .await
            .doing("deleting what is published")?;
    } else {
        let (partitions, offsets) = columns(&receipts);
        sqlx::query(
            "WITH gone AS (DELETE FROM outbox WHERE seq = ANY($1) RETURNING *)
             INSERT INTO published (seq, id, topic, message_type, key, at, source, traceparent, body, partition, \"offset\")
             SELECT g.seq, g.id, g.topic, g.message_type, g.key, g.at, g.source, g.traceparent, g.body, r.partition, r.\"offset\"
               FROM gone g JOIN unnest($1::bigint[], $2::integer[], $3::bigint[]) AS r (seq, partition, \"offset\") USING (seq)
              ORDER BY g.seq",
        )
        .bind(&seqs)
        .bind(partitions)
        .bind(offsets)
        .execute(connection)
        .await
        .doing("moving what is published out of the outbox")?;
    }
    kill::point("outbox.after_delete");
    Ok(())
}

/// The one that is at work.
struct Relay<'a> {
    connection: PgConnection,
    bus: &'a Bus,
    watch: Watch,
    stored: Stored,
    /// Read already.
    ahead: Option<Vec<OutboxRow>>,
    forget: Instant,
}

impl Relay<'_> {
    /// Does what is due; answers how many new messages were published.
    async fn turn(&mut self) -> Result<u64, Error> {
        let lost = self.watch.lost(self.bus).await;
        if !lost.is_empty() {
            self.finish().await?;
            self.publish_again(lost).await?;
        }
        if Instant::now() >= self.forget {
            sqlx::query("DELETE FROM published WHERE published_at < now() - interval '1 hour'")
                .execute(&mut self.connection)
                .await
                .doing("forgetting what was published long ago")?;
            self.forget = Instant::now() + FORGET_EVERY;
        }
        self.publish_batch().await
    }

    /// Publishes the oldest messages and takes them out of the outbox; answers how many. No transaction is open while the
    /// broker is slow. While a backlog is published the batch before is taken out and the next one read, so that broker and
    /// database are at work together; a message is never sent before those of the batches before it are stored.
    async fn publish_batch(&mut self) -> Result<u64, Error> {
        let rows = match self.ahead.take() {
            Some(rows) => rows,
            None => read(&mut self.connection, &self.stored.seqs).await?,
        };
        let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        if seqs.is_empty() {
            self.finish().await?;
            return Ok(0);
        }
        let backlog = seqs.len() == usize::from(BATCH);
        let stored = std::mem::take(&mut self.stored);
        let (topics, messages) = outgoing(rows);
        kill::point("outbox.before_publish");
        let connection = &mut self.connection;
        let beside = async {
            take_out(connection, stored).await?;
            if backlog {
                read(connection, &seqs).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (receipts, ahead) = tokio::join!(self.bus.publish(messages), beside);
        let receipts = receipts?;
        kill::point("outbox.after_publish");
        let published = seqs.len() as u64;
        self.note(&topics, &receipts);
        self.stored = Stored { seqs, receipts };
        self.ahead = ahead?;
        if !backlog {
            self.finish().await?;
        }
        Ok(published)
    }

    /// Takes out of the outbox what the broker has.
    async fn finish(&mut self) -> Result<(), Error> {
        let stored = std::mem::take(&mut self.stored);
        take_out(&mut self.connection, stored).await
    }

    /// Notes where messages of these topics were stored.
    fn note(&mut self, topics: &[String], receipts: &[Receipt]) {
        let stored = topics.iter().map(String::as_str).zip(receipts.iter().copied());
        self.watch.note(stored);
    }

    /// Publishes what the broker took for these partitions and is still kept, in its order. A message that it has after all
    /// comes twice, which inboxes see.
    async fn publish_again(&mut self, lost: Vec<Place>) -> Result<(), Error> {
        for (topic, partition) in lost {
            let mut upto = 0;
            let mut messages = 0;
            loop {
                let rows: Vec<OutboxRow> = sqlx::query_as(
                    "SELECT seq, id, topic, message_type, key, at, source, traceparent, body FROM published
                      WHERE topic = $1 AND partition = $2 AND seq > $3 ORDER BY seq LIMIT $4",
                )
                .bind(&topic)
                .bind(partition)
                .bind(upto)
                .bind(i64::from(BATCH))
                .fetch_all(&mut self.connection)
                .await
                .doing("reading what was published")?;
                let Some(last) = rows.last() else { break };
                upto = last.seq;
                messages += rows.len();
                let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
                let (topics, again) = outgoing(rows);
                let receipts = self.bus.publish(again).await?;
                self.note(&topics, &receipts);
                if receipts.is_empty() {
                    sqlx::query("DELETE FROM published WHERE seq = ANY($1)")
                        .bind(&seqs)
                        .execute(&mut self.connection)
                        .await
                        .doing("forgetting what went over another transport")?;
                    continue;
                }
                let (partitions, offsets) = columns(&receipts);
                sqlx::query(
                    "UPDATE published p SET partition = r.partition, \"offset\" = r.\"offset\"
                       FROM unnest($1::bigint[], $2::integer[], $3::bigint[]) AS r (seq, partition, \"offset\")
                      WHERE p.seq = r.seq",
                )
                .bind(&seqs)
                .bind(partitions)
                .bind(offsets)
                .execute(&mut self.connection)
                .await
                .doing("noting what was published again")?;
            }
            tracing::error!(
                topic,
                partition,
                messages,
                "the broker lost messages that it had taken; those of the last hour were published again"
            );
        }
        Ok(())
    }
}

/// Receipts column by column.
fn columns(receipts: &[Receipt]) -> (Vec<i32>, Vec<i64>) {
    receipts
        .iter()
        .map(|receipt| (receipt.partition, receipt.offset))
        .unzip()
}
