//! The inbox: which messages took effect, in the transaction of the effect. Those of a handler that makes one effect of a
//! repetition by itself are in it only when they were parked.

use ferrex_postgres::{Db, SqlResult as _, Tx, column_of};
use foldhash::HashSet;
use sqlx::AssertSqlSafe;
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

/// Which messages are remembered once they took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembers {
    /// All. Where another transaction has entered one and not ended yet, entering it waits for that.
    All,
    /// Those that were parked: the handler makes one effect of a repetition by itself.
    Parked,
}

impl Remembers {
    /// A statement's part that names, of the messages `$2` of the consumer `$1`, those that were entered, or were there.
    const fn named(self) -> &'static str {
        match self {
            Self::All => {
                "named AS (
                     INSERT INTO inbox (consumer, message_id) SELECT $1, id FROM unnest($2::uuid[]) AS i (id)
                     ON CONFLICT DO NOTHING RETURNING message_id
                 )"
            }
            Self::Parked => {
                "named AS (SELECT message_id FROM inbox WHERE consumer = $1 AND message_id = ANY($2))"
            }
        }
    }

    /// Whether a message is to be handled, given whether the statement named it.
    const fn is_fresh(self, is_named: bool) -> bool {
        match self {
            Self::All => is_named,
            Self::Parked => !is_named,
        }
    }
}

/// Enters a message, if it is to be remembered.
pub(crate) async fn enter(
    tx: &mut Tx,
    consumer: &str,
    remembers: Remembers,
    delivery: &Delivery,
    ordered: bool,
) -> Result<Entry, Error> {
    let sql = format!(
        "WITH {}
         SELECT EXISTS (SELECT FROM named),
                $3 AND EXISTS (SELECT FROM parked WHERE consumer = $1 AND topic = $4 AND key = $5 AND ordered)",
        remembers.named()
    );
    let (named, blocked): (bool, bool) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(consumer)
        .bind([uuid_of(delivery.id)])
        .bind(ordered)
        .bind(&*delivery.topic)
        .bind(&*delivery.key)
        .fetch_one(&mut **tx)
        .await
        .doing("entering a message into the inbox")?;
    Ok(match (remembers.is_fresh(named), blocked) {
        (false, _) => Entry::Seen,
        (true, true) => Entry::Blocked,
        (true, false) => Entry::Fresh,
    })
}

/// Enters messages together, if they are to be remembered; answers those that are to be handled, in their order. `None`:
/// their handling is ordered, and one of them waits behind a parked one.
pub(crate) async fn enter_all(
    tx: &mut Tx,
    consumer: &str,
    remembers: Remembers,
    deliveries: Vec<Delivery>,
    ordered: bool,
) -> Result<Option<Vec<Delivery>>, Error> {
    let ids: Vec<Uuid> = deliveries.iter().map(|delivery| uuid_of(delivery.id)).collect();
    // Nearly always nothing is parked, and nobody needs to look for each key.
    let sql = format!(
        "WITH {}
         SELECT coalesce((SELECT array_agg(message_id) FROM named), '{{}}'),
                $3 AND EXISTS (SELECT FROM parked WHERE consumer = $1 AND ordered)",
        remembers.named()
    );
    let (named, some_wait): (Vec<Uuid>, bool) = sqlx::query_as(AssertSqlSafe(sql))
        .bind(consumer)
        .bind(ids)
        .bind(ordered)
        .fetch_one(&mut **tx)
        .await
        .doing("entering messages into the inbox")?;
    if some_wait && is_one_blocked(tx, consumer, &deliveries).await? {
        return Ok(None);
    }
    let named: HashSet<Uuid> = named.into_iter().collect();
    let mut seen = HashSet::default();
    let mut is_fresh = |delivery: &Delivery| {
        let id = uuid_of(delivery.id);
        // The same message may stand in the log twice, one close after the other.
        remembers.is_fresh(named.contains(&id)) && seen.insert(id)
    };
    Ok(Some(
        deliveries
            .into_iter()
            .filter(|delivery| is_fresh(delivery))
            .collect(),
    ))
}

/// Whether one of messages waits behind a parked one of its key.
async fn is_one_blocked(tx: &mut Tx, consumer: &str, deliveries: &[Delivery]) -> Result<bool, Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM parked
                        JOIN unnest($2::text[], $3::text[]) AS m (topic, key)
                          ON parked.topic = m.topic AND parked.key = m.key
                        WHERE consumer = $1 AND ordered)",
    )
    .bind(consumer)
    .bind(column_of(deliveries, |delivery| &*delivery.topic))
    .bind(column_of(deliveries, |delivery| &*delivery.key))
    .fetch_one(&mut **tx)
    .await
    .doing("looking for keys that wait")
    .map_err(Error::from)
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
