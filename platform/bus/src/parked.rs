//! Messages that could not be handled, kept until staff decide.
//!
//! A parked message is in the inbox too, so that a redelivery passes it by. Messages of one key are handled again in
//! their order; parking behind and redriving exclude each other by an advisory lock on the key, so that nothing is left
//! waiting behind a message that is gone.

use ferrex_fault::Fault;
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, SqlResult as _, Tx};
use ferrex_time::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::message::{Delivery, uuid_of};
use crate::{Error, Headers};

/// A parked message, as staff see it.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct ParkedMessage {
    /// Names it to [`redrive`] and [`discard`].
    pub id: i64,
    /// The group that could not handle it.
    pub consumer: String,
    /// The message's own identity.
    pub message_id: Uuid,
    /// Its type's name.
    pub message_type: String,
    /// Who said it.
    pub source: String,
    /// When the fact became true.
    pub at: Timestamp,
    /// Where it stood: topic,
    pub topic: String,
    /// partition,
    pub partition: i32,
    /// and offset.
    pub offset: i64,
    /// What it is about.
    pub key: String,
    /// Whether later messages of its key wait for it.
    pub ordered: bool,
    /// Its headers: pairs of name and value.
    pub headers: Value,
    /// Its body as it came.
    pub body: Vec<u8>,
    /// Nothing is wrong with it: it waits for an earlier one of its key.
    pub behind: bool,
    /// The fault's code.
    pub code: String,
    /// The fault's text with its causes.
    pub reason: String,
    /// Attempts so far.
    pub attempts: i32,
    /// Since when.
    pub parked_at: Timestamp,
    /// Set while a redrive is on its way.
    pub redrive_requested_at: Option<Timestamp>,
}

/// What became of the attempt to park.
pub(crate) enum Parking {
    /// It is parked under this id.
    Parked(i64),
    /// Somebody else handled or parked it meanwhile.
    AlreadyDone,
    /// The message it was to wait for is gone: handle it.
    NotBlocked,
}

/// Parked messages after `after` (0 to begin), oldest first, at most `limit`.
pub async fn list(db: &Db, after: i64, limit: i64) -> Result<Vec<ParkedMessage>, Error> {
    sqlx::query_as("SELECT * FROM parked WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all(db.pool())
        .await
        .doing("listing parked messages")
        .map_err(Error::from)
}

/// Asks the service to handle a parked message again, and with it all of its key in their order.
///
/// A running [`crate::serve`] does it within a second. When one fails again it and those behind it stay parked with the
/// new reason.
pub async fn redrive(db: &Db, id: i64) -> Result<(), Error> {
    let asked = sqlx::query(
        "UPDATE parked SET redrive_requested_at = now()
         FROM (SELECT consumer, topic, key, ordered FROM parked WHERE id = $1) AS it
         WHERE parked.id = $1
            OR (it.ordered AND parked.ordered AND parked.consumer = it.consumer
                AND parked.topic = it.topic AND parked.key = it.key)",
    )
    .bind(id)
    .execute(db.pool())
    .await
    .doing("asking for a redrive")?
    .rows_affected();
    if asked == 0 {
        Err(Error::NotParked { id })
    } else {
        Ok(())
    }
}

/// Gives up a parked message for good; what waits behind it is handled. The decision belongs into the audit log.
pub async fn discard(db: &Db, id: i64) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let row: Option<ParkedMessage> = sqlx::query_as("SELECT * FROM parked WHERE id = $1 FOR UPDATE")
        .bind(id)
        .fetch_optional(&mut *tx)
        .await
        .doing("reading a parked message")?;
    let row = row.ok_or(Error::NotParked { id })?;
    if row.ordered {
        lock_key(&mut tx, &row.consumer, &row.topic, &row.key).await?;
    }
    remove(&mut tx, id).await?;
    sqlx::query(
        "UPDATE parked SET redrive_requested_at = now()
         WHERE $4 AND ordered AND behind AND consumer = $1 AND topic = $2 AND key = $3",
    )
    .bind(&row.consumer)
    .bind(&row.topic)
    .bind(&row.key)
    .bind(row.ordered)
    .execute(&mut *tx)
    .await
    .doing("asking for a redrive")?;
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    tracing::warn!(parked = id, message.id = %row.message_id, message.r#type = row.message_type, "parked message discarded");
    Ok(())
}

/// How many messages are parked, for metrics and the checks after tests.
pub async fn count(db: &Db) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT count(*) FROM parked")
        .fetch_one(db.pool())
        .await
        .doing("counting parked messages")
        .map_err(Error::from)
}

/// Parks a message for its fault.
pub(crate) async fn park(
    db: &Db,
    consumer: &str,
    delivery: &Delivery,
    ordered: bool,
    fault: &Fault,
) -> Result<Parking, Error> {
    let mut tx = db.begin().await?;
    if ordered {
        lock_key(&mut tx, consumer, &delivery.topic, &delivery.key).await?;
    }
    let parking = insert(
        &mut tx,
        consumer,
        delivery,
        ordered,
        false,
        (&fault.code, &fault.chain()),
    )
    .await?;
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    Ok(parking)
}

/// Parks a message behind an earlier one of its key, if that is still there.
pub(crate) async fn park_behind(db: &Db, consumer: &str, delivery: &Delivery) -> Result<Parking, Error> {
    let mut tx = db.begin().await?;
    lock_key(&mut tx, consumer, &delivery.topic, &delivery.key).await?;
    let waiting: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM parked WHERE consumer = $1 AND topic = $2 AND key = $3 AND ordered)",
    )
    .bind(consumer)
    .bind(&*delivery.topic)
    .bind(&*delivery.key)
    .fetch_one(&mut *tx)
    .await
    .doing("asking whether a key waits")?;
    if !waiting {
        return Ok(Parking::NotBlocked);
    }
    let reason = ("bus.parked.behind", "an earlier message of this key is parked");
    let parking = insert(&mut tx, consumer, delivery, true, true, reason).await?;
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    Ok(parking)
}

/// One waits for the other: whoever parks behind a message, and whoever takes that message away.
async fn lock_key(tx: &mut Tx, consumer: &str, topic: &str, key: &str) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))")
        .bind(format!("parked/{consumer}/{topic}/{key}"))
        .execute(&mut **tx)
        .await
        .doing("locking a key")?;
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    consumer: &str,
    delivery: &Delivery,
    ordered: bool,
    behind: bool,
    (code, reason): (&str, &str),
) -> Result<Parking, Error> {
    let entered =
        sqlx::query("INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(consumer)
            .bind(uuid_of(delivery.id))
            .execute(&mut **tx)
            .await
            .doing("entering a parked message into the inbox")?;
    if entered.rows_affected() == 0 {
        return Ok(Parking::AlreadyDone);
    }
    let id = sqlx::query_scalar(
        "INSERT INTO parked (consumer, message_id, message_type, source, at, topic, partition, \"offset\", key, ordered,
                             headers, body, behind, code, reason, attempts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         RETURNING id",
    )
    .bind(consumer)
    .bind(uuid_of(delivery.id))
    .bind(&*delivery.message_type)
    .bind(&*delivery.source)
    .bind(delivery.at)
    .bind(&*delivery.topic)
    .bind(delivery.partition)
    .bind(delivery.offset)
    .bind(&*delivery.key)
    .bind(ordered)
    .bind(Json(&delivery.headers))
    .bind(&delivery.body[..])
    .bind(behind)
    .bind(code)
    // A fault's text may quote the message, and PostgreSQL's text holds no zero byte.
    .bind(reason.replace('\0', "\u{fffd}"))
    .bind(i32::try_from(delivery.attempt).unwrap_or(i32::MAX))
    .fetch_one(&mut **tx)
    .await
    .doing("parking a message")?;
    Ok(Parking::Parked(id))
}

/// Ids to be handled again, in order.
pub(crate) async fn requested(db: &Db, consumer: &str) -> Result<Vec<i64>, Error> {
    sqlx::query_scalar(
        "SELECT id FROM parked WHERE consumer = $1 AND redrive_requested_at IS NOT NULL ORDER BY id LIMIT 500",
    )
    .bind(consumer)
    .fetch_all(db.pool())
    .await
    .doing("looking for messages to redrive")
    .map_err(Error::from)
}

/// Takes a message to handle it again: nobody else has it, and no earlier one of its key is parked.
pub(crate) async fn take(tx: &mut Tx, id: i64) -> Result<Option<Delivery>, Error> {
    // Lock order: the row, then its key. Whoever holds a key waits for no row.
    let row: Option<ParkedMessage> = sqlx::query_as(
        "SELECT * FROM parked WHERE id = $1 AND redrive_requested_at IS NOT NULL FOR UPDATE SKIP LOCKED",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await
    .doing("taking a parked message")?;
    let Some(row) = row else { return Ok(None) };
    if row.ordered {
        lock_key(tx, &row.consumer, &row.topic, &row.key).await?;
        let earlier: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM parked
                            WHERE consumer = $1 AND topic = $2 AND key = $3 AND ordered AND id < $4)",
        )
        .bind(&row.consumer)
        .bind(&row.topic)
        .bind(&row.key)
        .bind(id)
        .fetch_one(&mut **tx)
        .await
        .doing("looking for earlier messages of a key")?;
        if earlier {
            return Ok(None);
        }
    }
    Ok(Some(Delivery {
        id: MessageId::from_uuid(row.message_id),
        topic: row.topic.into(),
        partition: row.partition,
        offset: row.offset,
        message_type: row.message_type.into(),
        key: row.key.into(),
        at: row.at,
        source: row.source.into(),
        headers: Headers::deserialize(&row.headers).unwrap_or_default(),
        body: row.body.into(),
        attempt: u32::try_from(row.attempts).unwrap_or(0).saturating_add(1),
    }))
}

/// Removes a message that is no longer parked, in the transaction of its effect.
pub(crate) async fn remove(tx: &mut Tx, id: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM parked WHERE id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await
        .doing("removing a parked message")?;
    Ok(())
}

/// Notes why a message failed again, and that its key is not to be redriven further.
pub(crate) async fn failed_again(db: &Db, id: i64, fault: &Fault) -> Result<(), Error> {
    sqlx::query(
        "WITH it AS (
             SELECT consumer, topic, key, ordered FROM parked WHERE id = $1
         )
         UPDATE parked SET
             redrive_requested_at = NULL,
             behind   = CASE WHEN parked.id = $1 THEN false ELSE behind END,
             attempts = CASE WHEN parked.id = $1 THEN attempts + 1 ELSE attempts END,
             code     = CASE WHEN parked.id = $1 THEN $2 ELSE code END,
             reason   = CASE WHEN parked.id = $1 THEN $3 ELSE reason END
         FROM it
         WHERE parked.id = $1
            OR (it.ordered AND parked.ordered AND parked.consumer = it.consumer
                AND parked.topic = it.topic AND parked.key = it.key)",
    )
    .bind(id)
    .bind(&*fault.code)
    .bind(fault.chain().replace('\0', "\u{fffd}"))
    .execute(db.pool())
    .await
    .doing("noting a failed redrive")?;
    Ok(())
}
