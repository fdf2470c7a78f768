//! The outbox: messages written with the change they tell of, published afterwards by the service's relay.
//!
//! A row's number follows the order of insertion. A writer holds its aggregate's lock, so within one aggregate the
//! numbers follow the commits; between aggregates they need not. The relay therefore never remembers a last number: it
//! publishes what is there, in order, and deletes it. One relay a schema is at work (an advisory lock on its
//! connection), others stand by. A crash between publishing and deleting publishes again, in the same order, and the
//! inboxes of the readers see to the rest.
//!
//! What a broker took is kept for an hour in the table `published`, batch by batch, and the last place that it gave out in
//! each partition in `published_end`. When a partition turns out to end before that, all that went there within the hour is
//! published again, before anything new.

mod published;
mod relay;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ferrex_postgres::{Db, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use tokio::sync::Notify;
use uuid::Uuid;

pub use relay::relay;

use crate::{Error, Outgoing};

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
