//! The one of a schema's relays that is at work.

use std::time::Duration;

use ferrex_fault::Fault;
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, SqlResult as _, column_of};
use ferrex_runtime::{Backoff, kill};
use ferrex_time::Timestamp;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{published, put_down};
use crate::{Bus, Error, Outgoing, Place, Receipt, Watch};

/// Most messages published at once.
const BATCH: u16 = 1_000;
/// How often a relay looks without being told, for other processes of the service write to the same outbox: the first pause,
/// and what they grow to while nothing is there.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));
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
    let mut connection = db.own_connection().await?;
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
        watch: published::watch(&mut connection).await?,
        connection,
        bus,
        stored: Stored::default(),
        ahead: None,
        forget: Instant::now(),
    };
    let mut soon = LOOK_AFTER_PUT.iter();
    let mut rest = LOOK_EVERY.0;
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
        if published > 0 {
            rest = LOOK_EVERY.0;
        }
        let awaited = soon.next().copied();
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(awaited.unwrap_or(rest)) => {
                if awaited.is_none() {
                    rest = (2 * rest).min(LOOK_EVERY.1);
                }
            }
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

/// A message and its number.
pub(super) struct OutboxRow {
    pub(super) seq: i64,
    pub(super) message: Outgoing,
}

/// Its columns: number, id, topic, type, key, time, source, trace context and body.
pub(super) type Columns = (
    i64,
    Uuid,
    String,
    String,
    String,
    Timestamp,
    String,
    Option<String>,
    Vec<u8>,
);

impl From<Columns> for OutboxRow {
    fn from((seq, id, topic, message_type, key, at, source, traceparent, body): Columns) -> Self {
        let message = Outgoing {
            id: MessageId::from_uuid(id),
            topic: topic.into(),
            message_type: message_type.into(),
            key: key.into(),
            at,
            source: source.into(),
            traceparent: traceparent.map(Into::into),
            body: body.into(),
        };
        Self { seq, message }
    }
}

/// What the broker has and still stands in the outbox.
#[derive(Default)]
struct Stored {
    rows: Vec<OutboxRow>,
    /// Of each, unless the transport gives none.
    receipts: Vec<Receipt>,
}

/// The oldest messages that are not among `but`.
async fn read(connection: &mut PgConnection, but: &[i64]) -> Result<Vec<OutboxRow>, Error> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT seq, id, topic, message_type, key, at, source, traceparent, body FROM outbox
          WHERE seq <> ALL($1) ORDER BY seq LIMIT $2",
    )
    .bind(but)
    .bind(i64::from(BATCH))
    .fetch_all(connection)
    .await
    .doing("reading the outbox")?;
    Ok(rows.into_iter().map(OutboxRow::from).collect())
}

/// Takes messages out of the outbox that the broker has, and keeps those that it gave receipts for.
async fn take_out(connection: &mut PgConnection, stored: &Stored) -> Result<(), Error> {
    let Stored { rows, receipts } = stored;
    if rows.is_empty() {
        return Ok(());
    }
    if receipts.is_empty() {
        sqlx::query("DELETE FROM outbox WHERE seq = ANY($1)")
            .bind(column_of(rows, |row| row.seq))
            .execute(connection)
            .await
            .doing("deleting what is published")?;
    } else {
        published::keep(connection, rows, receipts).await?;
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
            self.publish_again(&lost).await?;
        }
        if Instant::now() >= self.forget {
            published::forget(&mut self.connection).await?;
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
            None => read(&mut self.connection, &column_of(&self.stored.rows, |row| row.seq)).await?,
        };
        if rows.is_empty() {
            self.finish().await?;
            return Ok(0);
        }
        let backlog = rows.len() == usize::from(BATCH);
        let stored = std::mem::take(&mut self.stored);
        kill::point("outbox.before_publish");
        let connection = &mut self.connection;
        let beside = async {
            take_out(connection, &stored).await?;
            if backlog {
                read(connection, &column_of(&rows, |row| row.seq)).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (receipts, ahead) = tokio::join!(
            self.bus.publish(column_of(&rows, |row| row.message.clone())),
            beside
        );
        let receipts = receipts?;
        kill::point("outbox.after_publish");
        let count = rows.len() as u64;
        let topics = rows.iter().map(|row| &*row.message.topic);
        self.watch.note(topics.zip(receipts.iter().copied()));
        self.stored = Stored { rows, receipts };
        self.ahead = ahead?;
        if !backlog {
            self.finish().await?;
        }
        Ok(count)
    }

    /// Takes out of the outbox what the broker has.
    async fn finish(&mut self) -> Result<(), Error> {
        let stored = std::mem::take(&mut self.stored);
        take_out(&mut self.connection, &stored).await
    }

    async fn publish_again(&mut self, lost: &[Place]) -> Result<(), Error> {
        for place in lost {
            let messages = published::again(&mut self.connection, self.bus, &mut self.watch, place).await?;
            let (topic, partition) = place;
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
