//! The inbox: which messages took effect, in the transaction of the effect.

use std::collections::HashSet;

use ferrex_postgres::{Db, SqlResult as _, Tx};

use uuid::Uuid;

use crate::Error;
use crate::message::{Delivery, uuid_of};

/// What the inbox says to a message that wants to be handled.
pub(crate) enum Entry {
    /// It is entered; handle it and commit.
    Fresh,
    /// It took effect, or was parked, before.
    Seen,
    /// An earlier message of its key is parked.
    Blocked,
}

/// Enters a message. Where another transaction has entered it and not ended yet, this waits for that.
pub(crate) async fn enter(
    tx: &mut Tx,
    consumer: &str,
    delivery: &Delivery,
    ordered: bool,
) -> Result<Entry, Error> {
    let (fresh, blocked): (bool, bool) = sqlx::query_as(
        "WITH entered AS (
             INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1
         )
         SELECT EXISTS (SELECT FROM entered),
                $3 AND EXISTS (SELECT FROM parked WHERE consumer = $1 AND topic = $4 AND key = $5 AND ordered)",
    )
    .bind(consumer)
    .bind(uuid_of(delivery.id))
    .bind(ordered)
    .bind(&delivery.topic)
    .bind(&delivery.key)
    .fetch_one(&mut **tx)
    .await
    .doing("entering a message into the inbox")?;
    Ok(match (fresh, blocked) {
        (false, _) => Entry::Seen,
        (true, true) => Entry::Blocked,
        (true, false) => Entry::Fresh,
    })
}

/// Enters messages together; answers those that are to be handled, in their order. `None`: their handling is ordered, and
/// one of them waits behind a parked one.
pub(crate) async fn enter_all(
    tx: &mut Tx,
    consumer: &str,
    deliveries: Vec<Delivery>,
    ordered: bool,
) -> Result<Option<Vec<Delivery>>, Error> {
    let ids: Vec<Uuid> = deliveries.iter().map(|delivery| uuid_of(delivery.id)).collect();
    let topics: Vec<&str> = deliveries
        .iter()
        .map(|delivery| delivery.topic.as_str())
        .collect();
    let keys: Vec<&str> = deliveries.iter().map(|delivery| delivery.key.as_str()).collect();
    let (mut fresh, blocked): (Vec<Uuid>, bool) = sqlx::query_as(
        "WITH entered AS (
             INSERT INTO inbox (consumer, message_id) SELECT $1, id FROM unnest($2::uuid[]) AS i (id)
             ON CONFLICT DO NOTHING RETURNING message_id
         )
         SELECT coalesce((SELECT array_agg(message_id) FROM entered), '{}'),
                $5 AND EXISTS (SELECT FROM parked
                               JOIN unnest($3::text[], $4::text[]) AS m (topic, key)
                                 ON parked.topic = m.topic AND parked.key = m.key
                               WHERE consumer = $1 AND ordered)",
    )
    .bind(consumer)
    .bind(ids)
    .bind(topics)
    .bind(keys)
    .bind(ordered)
    .fetch_one(&mut **tx)
    .await
    .doing("entering messages into the inbox")?;
    if blocked {
        return Ok(None);
    }
    fresh.sort_unstable();
    let mut seen = HashSet::new();
    let mut is_fresh = |delivery: &Delivery| {
        let id = uuid_of(delivery.id);
        // The same message may stand in the log twice, one close after the other.
        fresh.binary_search(&id).is_ok() && seen.insert(id)
    };
    Ok(Some(
        deliveries
            .into_iter()
            .filter(|delivery| is_fresh(delivery))
            .collect(),
    ))
}

/// Forgets messages that were handled more than `days` days ago and are not parked; answers how many.
///
/// No topic may keep messages that long, or a rewind would handle them again.
pub async fn clean(db: &Db, days: i32) -> Result<u64, Error> {
    const BATCH: i64 = 10_000;
    let mut total = 0;
    loop {
        // The parked ones stay remembered, so that a redelivery does not handle them beside their redrive.
        let batch = sqlx::query(
            "DELETE FROM inbox WHERE (consumer, message_id) IN (
                 SELECT consumer, message_id FROM inbox i
                 WHERE received_at < now() - make_interval(days => $1)
                   AND NOT EXISTS (SELECT FROM parked p
                                   WHERE p.consumer = i.consumer AND p.message_id = i.message_id)
                 LIMIT $2)",
        )
        .bind(days)
        .bind(BATCH)
        .execute(db.pool())
        .await
        .doing("cleaning the inbox")?
        .rows_affected();
        total += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(total);
        }
    }
}
