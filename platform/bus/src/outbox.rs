//! The outbox: messages written with the change they tell of, published afterwards by the service's relay.
//!
//! A row's number follows the order of insertion. A writer holds its aggregate's lock, so within one aggregate the
//! numbers follow the commits; between aggregates they need not. The relay therefore never remembers a last number: it
//! publishes what is there, in order, and deletes it. One relay a schema is at work (an advisory lock on its
//! connection), others stand by. A crash between publishing and deleting publishes again, in the same order, and the
//! inboxes of the readers see to the rest.

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
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Bus, Error, Outgoing};

/// Most messages published at once.
const BATCH: i64 = 1_000;
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
    let mut soon = LOOK_AFTER_PUT.iter();
    loop {
        let given_up = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FINISH_WITHIN).await;
        };
        let published = tokio::select! {
            published = publish_batch(&mut connection, bus) => Some(published?),
            () = given_up => None,
        };
        let Some(published) = published else { break };
        pauses.reset();
        if shutdown.is_cancelled() {
            break;
        }
        if published == BATCH.unsigned_abs() {
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
    let _ = connection.close().await;
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

/// Publishes the oldest messages and deletes them; answers how many. No transaction is open while the broker is slow.
async fn publish_batch(connection: &mut PgConnection, bus: &Bus) -> Result<u64, Error> {
    let rows: Vec<OutboxRow> = sqlx::query_as(
        "SELECT seq, id, topic, message_type, key, at, source, traceparent, body FROM outbox ORDER BY seq LIMIT $1",
    )
    .bind(BATCH)
    .fetch_all(&mut *connection)
    .await
    .doing("reading the outbox")?;
    if rows.is_empty() {
        return Ok(0);
    }
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let messages = rows
        .into_iter()
        .map(|row| Outgoing {
            id: MessageId::from_uuid(row.id),
            topic: row.topic,
            message_type: row.message_type,
            key: row.key,
            at: row.at,
            source: row.source,
            traceparent: row.traceparent,
            body: row.body,
        })
        .collect();
    kill::point("outbox.before_publish");
    bus.publish(messages).await?;
    kill::point("outbox.after_publish");
    sqlx::query("DELETE FROM outbox WHERE seq = ANY($1)")
        .bind(&seqs)
        .execute(&mut *connection)
        .await
        .doing("deleting what is published")?;
    kill::point("outbox.after_delete");
    Ok(seqs.len() as u64)
}
