//! Writes orders that are asked for at the same time together: one statement, one commit for all of them.

use ferrex_fault::{Classify as _, Fault, Kind};
use ferrex_postgres::{Db, Dedicated, Error as DbError, PgU128, SqlResult as _, entry, is_unique_violation};
use ferrex_time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Error;
use super::model::{NewOrder, self_trade_word, tif_word};
use crate::idempotency::Bound;

/// How many orders may wait; more wait in their callers.
const QUEUE: usize = 4_096;
/// How many are written at once.
const TOGETHER: usize = 256;

/// What became of an order that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is written, and its key is bound to it.
    Written,
    /// The key was bound before; nothing is written.
    Repeat,
    /// The person's money is stopped; nothing is written.
    Frozen,
    /// The person has had a debt, and nobody has looked whether it is paid; nothing is written.
    MayOwe,
    /// An open order of the person has its name; nothing is written.
    NameInUse,
}

/// An order with the key that it is asked for under.
#[derive(Debug)]
struct Asked {
    key: String,
    fingerprint: [u8; 32],
    order: NewOrder,
    debts: Debts,
}

/// Whether somebody has asked the engine for a person's debts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Debts {
    /// Nobody has.
    Unknown,
    /// There are none.
    None,
}

struct Waiting {
    asked: Asked,
    reply: oneshot::Sender<Result<Taken, Fault>>,
}

/// The way in. Clones share it.
#[derive(Clone, Debug)]
pub struct Intake {
    waiting: mpsc::Sender<Waiting>,
}

impl Intake {
    /// Starts a task that writes until every clone is gone. Must be called within a tokio runtime.
    pub fn start(db: Db) -> Self {
        let (waiting, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(db, queue));
        Self { waiting }
    }

    /// Writes an order and binds its key. An error says that nobody knows whether it is written; the same call again finds out.
    pub(super) async fn take(
        &self,
        bound: &Bound<'_>,
        order: NewOrder,
        debts: Debts,
    ) -> Result<Taken, Fault> {
        let (reply, taken) = oneshot::channel();
        let asked = Asked {
            key: bound.key.to_owned(),
            fingerprint: bound.fingerprint,
            order,
            debts,
        };
        let sent = self.waiting.send(Waiting { asked, reply }).await;
        let taken = if sent.is_ok() { taken.await.ok() } else { None };
        taken.unwrap_or_else(|| Err(Error::Stopping.into()))
    }
}

async fn write_all(db: Db, mut queue: mpsc::Receiver<Waiting>) {
    let mut together = Vec::new();
    let mut connection = Dedicated::new(&db);
    loop {
        if queue.recv_many(&mut together, TOGETHER).await == 0 {
            return;
        }
        // Whoever writes many keys takes them in one order, so that no two wait for each other.
        together.sort_by(|left: &Waiting, right| {
            let (left, right) = (&left.asked, &right.asked);
            (left.order.user, &left.key).cmp(&(right.order.user, &right.key))
        });
        let asked: Vec<&Asked> = together.iter().map(|waiting| &waiting.asked).collect();
        match write(&mut connection, &asked).await {
            Ok(taken) => {
                for (waiting, taken) in together.drain(..).zip(taken) {
                    // A caller that has gone finds out when it comes again.
                    let _ = waiting.reply.send(Ok(taken));
                }
            }
            Err(error) if error.kind() == Kind::Unavailable => {
                let reason = Fault::from(error).chain();
                for waiting in together.drain(..) {
                    let fault = Fault::new(Kind::Unavailable, "payment.order.unwritten", reason.clone());
                    let _ = waiting.reply.send(Err(fault));
                }
            }
            // One that cannot be written does not keep the others out.
            Err(_) => {
                for waiting in together.drain(..) {
                    let _ = waiting.reply.send(alone(&mut connection, &waiting.asked).await);
                }
            }
        }
    }
}

async fn alone(connection: &mut Dedicated, asked: &Asked) -> Result<Taken, Fault> {
    match write(connection, &[asked]).await {
        Ok(taken) => Ok(taken.first().copied().unwrap_or(Taken::Repeat)),
        Err(error) if is_name_in_use(&error) => Ok(Taken::NameInUse),
        Err(error) => Err(error.into()),
    }
}

fn is_name_in_use(error: &DbError) -> bool {
    let broke = |source| is_unique_violation(source, "taken_order_name_pkey");
    error.driver().is_some_and(broke)
}

#[derive(sqlx::Encode)]
struct Entry<'a> {
    id: Uuid,
    user_id: Uuid,
    key: &'a str,
    fingerprint: &'a [u8],
    market: i32,
    client_order_id: Option<&'a str>,
    side: &'static str,
    kind: &'static str,
    tif: &'static str,
    price: PgU128,
    quantity: Option<PgU128>,
    value: Option<PgU128>,
    expires_at: Option<Timestamp>,
    placed_at: Timestamp,
    stop: Option<PgU128>,
    display: Option<PgU128>,
    self_trade: &'static str,
    owes_nothing: bool,
}

entry!(Entry<'_>, "asked_order_entry");

impl<'a> Entry<'a> {
    fn of(asked: &'a Asked) -> Self {
        let order = &asked.order;
        Self {
            id: order.id.uuid(),
            user_id: order.user.uuid(),
            key: &asked.key,
            fingerprint: &asked.fingerprint,
            market: order.place.market.0.cast_signed(),
            client_order_id: order.client_order_id.as_deref(),
            side: order.side(),
            kind: order.kind,
            tif: tif_word(order.tif),
            price: order.price.into(),
            quantity: order.quantity.map(Into::into),
            value: order.value.map(Into::into),
            expires_at: order.place.terms.expires_at,
            placed_at: order.at,
            stop: order.place.terms.stop.map(Into::into),
            display: order.place.terms.display.map(Into::into),
            self_trade: self_trade_word(order.place.terms.self_trade),
            owes_nothing: asked.debts == Debts::None,
        }
    }
}

/// Binds the keys of people whose money may move, and writes the orders of those that were not bound before: one statement,
/// which is a transaction of its own. Answers what became of each, in their order.
async fn write(connection: &mut Dedicated, asked: &[&Asked]) -> Result<Vec<Taken>, DbError> {
    let statement = sqlx::query_as(
        "WITH asked AS (
             SELECT a.*, coalesce(c.frozen, false) AS frozen,
                    NOT a.owes_nothing AND EXISTS (SELECT FROM movement m WHERE m.user_id = a.user_id AND m.owed > 0) AS may_owe
               FROM unnest($1) WITH ORDINALITY
                    AS a (id, user_id, key, fingerprint, market, client_order_id, side, kind, tif, price, quantity, value,
                          expires_at, placed_at, stop, display, self_trade, owes_nothing, place)
               LEFT JOIN customer c ON c.user_id = a.user_id
         ), bound AS (
             INSERT INTO idempotency (user_id, key, operation, fingerprint, resource, bound_at)
             SELECT user_id, key, 'order', fingerprint, id, placed_at FROM asked WHERE NOT frozen AND NOT may_owe ORDER BY place
             ON CONFLICT (user_id, key) DO NOTHING
             RETURNING resource
         ), written AS (
             INSERT INTO asked_order (user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at,
                                      placed_at, stop, display, self_trade)
             SELECT user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at, placed_at, stop,
                    display, self_trade
               FROM asked JOIN bound ON bound.resource = asked.id ORDER BY place
         ), named AS (
             INSERT INTO taken_order_name (user_id, name, id)
             SELECT user_id, client_order_id, id FROM asked JOIN bound ON bound.resource = asked.id
              WHERE client_order_id IS NOT NULL ORDER BY user_id, client_order_id
         )
         SELECT asked.frozen, asked.may_owe, bound.resource IS NOT NULL
           FROM asked LEFT JOIN bound ON bound.resource = asked.id ORDER BY asked.place",
    )
    .bind(asked.iter().map(|asked| Entry::of(asked)).collect::<Vec<_>>());
    let rows: Vec<(bool, bool, bool)> = connection
        .run(async |connection| statement.fetch_all(connection).await.doing("writing orders"))
        .await?;
    let taken = |row| match row {
        (true, _, _) => Taken::Frozen,
        (false, true, _) => Taken::MayOwe,
        (false, false, true) => Taken::Written,
        (false, false, false) => Taken::Repeat,
    };
    Ok(rows.into_iter().map(taken).collect())
}
