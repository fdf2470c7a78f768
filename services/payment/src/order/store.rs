//! Orders in PostgreSQL.

use std::collections::HashSet;

use ferrex_engine_core::{MarketId, Refusal};
use ferrex_ids::{OrderId, UserId};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _, column_of};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{NewOrder, OrderRow, self_trade_word, tif_word};

/// Takes the orders that a part of a statement names by `user_id` and `id` out of those that are asked for, and answers them.
///
/// That table is nearly empty and always changing. For one that had three rows when it was last analysed, a plan of a join reads all
/// of its index, with the entries of a minute's dead rows; so each row is looked up by its key and deleted by its place.
macro_rules! take_asked {
    ($named:literal) => {
        concat!(
            "DELETE FROM asked_order WHERE ctid = ANY (ARRAY(
                 SELECT found.ctid FROM ",
            $named,
            " AS o CROSS JOIN LATERAL (
                     SELECT a.ctid FROM asked_order a WHERE a.user_id = o.user_id AND a.id = o.id OFFSET 0) AS found))
             RETURNING *"
        )
    };
}
pub(super) use take_asked;

/// Frees the names of the orders in a part of a statement that are not open any more. As [`take_asked`] does it.
macro_rules! free_names {
    ($orders:literal) => {
        concat!(
            "DELETE FROM taken_order_name WHERE ctid = ANY (ARRAY(
                 SELECT found.ctid FROM ",
            $orders,
            " AS o CROSS JOIN LATERAL (
                     SELECT n.ctid FROM taken_order_name n
                      WHERE n.user_id = o.user_id AND n.name = o.client_order_id AND n.id = o.id OFFSET 0) AS found
                  WHERE o.status <> 'open' AND o.client_order_id IS NOT NULL))"
        )
    };
}
pub(super) use free_names;

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    market: i32,
    client_order_id: Option<String>,
    side: String,
    kind: String,
    tif: String,
    price: PgU128,
    quantity: Option<PgU128>,
    value: Option<PgU128>,
    expires_at: Option<Timestamp>,
    placed_at: Timestamp,
    status: String,
    refusal: Option<i16>,
    filled: PgU128,
    filled_value: PgU128,
    fee: PgU128,
    stop: Option<PgU128>,
    display: Option<PgU128>,
    self_trade: Option<String>,
    waiting: bool,
}

impl From<Row> for OrderRow {
    fn from(row: Row) -> Self {
        Self {
            id: OrderId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            market: MarketId(row.market.cast_unsigned()),
            client_order_id: row.client_order_id,
            side: row.side,
            kind: row.kind,
            tif: row.tif,
            price: row.price.into(),
            quantity: row.quantity.map(Into::into),
            value: row.value.map(Into::into),
            expires_at: row.expires_at,
            placed_at: row.placed_at,
            status: row.status,
            refusal: row
                .refusal
                .and_then(|code| Refusal::from_code(code.cast_unsigned())),
            filled: row.filled.into(),
            filled_value: row.filled_value.into(),
            fee: row.fee.into(),
            stop: row.stop.map(Into::into),
            display: row.display.map(Into::into),
            self_trade: row.self_trade,
            waiting: row.waiting,
        }
    }
}

/// Writes the orders of a batch that are going to be asked of the engine; the batch's key is bound in the same transaction. Answers
/// which are written: not those whose name an open order of the person has, or one before them.
pub async fn insert_all(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<HashSet<OrderId>, DbError> {
    if orders.is_empty() {
        return Ok(HashSet::new());
    }
    let written: Vec<Uuid> = sqlx::query_scalar(
        "WITH asked AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
                                  $8::numeric[], $9::numeric[], $10::numeric[], $11::timestamptz[], $12::timestamptz[],
                                  $13::numeric[], $14::numeric[], $15::text[]) WITH ORDINALITY
                      AS a (id, user_id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at,
                            placed_at, stop, display, self_trade, place)
         ), named AS (
             INSERT INTO taken_order_name (user_id, name, id)
             SELECT user_id, client_order_id, id FROM asked WHERE client_order_id IS NOT NULL
              ORDER BY user_id, client_order_id, place
             ON CONFLICT (user_id, name) DO NOTHING
             RETURNING id
         )
         INSERT INTO asked_order (user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at,
                                  placed_at, stop, display, self_trade)
         SELECT user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at, placed_at, stop,
                display, self_trade
           FROM asked WHERE client_order_id IS NULL OR id IN (SELECT id FROM named)
          ORDER BY place
         RETURNING id",
    )
    .bind(column_of(orders, |order| order.id.uuid()))
    .bind(column_of(orders, |order| order.user.uuid()))
    .bind(column_of(orders, |order| order.place.market.0.cast_signed()))
    .bind(column_of(orders, |order| order.client_order_id.as_deref()))
    .bind(column_of(orders, |order| order.side()))
    .bind(column_of(orders, |order| order.kind))
    .bind(column_of(orders, |order| tif_word(order.tif)))
    .bind(column_of(orders, |order| PgU128::from(order.price)))
    .bind(column_of(orders, |order| order.quantity.map(PgU128::from)))
    .bind(column_of(orders, |order| order.value.map(PgU128::from)))
    .bind(column_of(orders, |order| order.place.terms.expires_at))
    .bind(column_of(orders, |order| order.at))
    .bind(column_of(orders, |order| order.place.terms.stop.map(PgU128::from)))
    .bind(column_of(orders, |order| order.place.terms.display.map(PgU128::from)))
    .bind(column_of(orders, |order| self_trade_word(order.place.terms.self_trade)))
    .fetch_all(tx)
    .await
    .doing("writing the orders of a batch")?;
    Ok(written.into_iter().map(OrderId::from_uuid).collect())
}

/// An order that the engine refused, or that never came to be.
#[derive(Clone, Copy, Debug)]
pub struct RefusedOrder {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub id: OrderId,
    /// `refused` or `lapsed`.
    pub status: &'static str,
    /// Why.
    pub refusal: Refusal,
}

/// Writes what became of orders that were refused, of those that nobody knew of yet.
pub async fn insert_refused(connection: &mut PgConnection, refused: &[RefusedOrder]) -> Result<(), DbError> {
    if refused.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!(
        "WITH refused AS (
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::smallint[]) AS r (user_id, id, status, refusal)
         ), asked AS (",
        take_asked!("refused"),
        "), written AS (
             INSERT INTO placed_order (user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at,
                                       placed_at, status, refusal, stop, display, self_trade)
             SELECT a.user_id, a.id, a.market, a.client_order_id, a.side, a.kind, a.tif, a.price, a.quantity, a.value,
                    a.expires_at, a.placed_at, r.status, r.refusal, a.stop, a.display, a.self_trade
               FROM asked a JOIN refused r ON r.user_id = a.user_id AND r.id = a.id
             RETURNING user_id, client_order_id, id, status
         ) ",
        free_names!("written"),
    ))
    .bind(column_of(refused, |order| order.user.uuid()))
    .bind(column_of(refused, |order| order.id.uuid()))
    .bind(column_of(refused, |order| order.status))
    .bind(column_of(refused, |order| order.refusal.code().cast_signed()))
    .execute(connection)
    .await
    .doing("writing that orders were refused")
    .map(drop)
}

/// The orders that are not decided, as far as is known here, of which a condition holds.
macro_rules! asked {
    ($which:literal) => {
        concat!(
            "(SELECT id, user_id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at, placed_at,
                     'requested' AS status, NULL::smallint AS refusal, 0::numeric AS filled, 0::numeric AS filled_value,
                     0::numeric AS fee, stop, display, self_trade, false AS waiting
                FROM asked_order WHERE ",
            $which,
            ")"
        )
    };
}

/// These and those that are decided, of which one condition more holds.
macro_rules! orders {
    ($of_decided:literal, $which:literal) => {
        concat!(
            asked!($which),
            " UNION ALL
             (SELECT id, user_id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at, placed_at,
                     status, refusal, filled, filled_value, fee, stop, display, self_trade, waiting
                FROM placed_order WHERE ",
            $of_decided,
            " AND ",
            $which,
            ")"
        )
    };
}

/// One of a person's orders.
pub async fn find(
    connection: &mut PgConnection,
    user: UserId,
    id: OrderId,
) -> Result<Option<OrderRow>, DbError> {
    let row: Option<Row> = sqlx::query_as(orders!("true", "user_id = $1 AND id = $2"))
        .bind(user.uuid())
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
        .doing("reading an order")?;
    Ok(row.map(Into::into))
}

/// Some of a person's orders, in no order.
pub async fn find_many(
    connection: &mut PgConnection,
    user: UserId,
    ids: &[OrderId],
) -> Result<Vec<OrderRow>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(orders!("true", "user_id = $1 AND id = ANY($2)"))
        .bind(user.uuid())
        .bind(ids)
        .fetch_all(connection)
        .await
        .doing("reading orders by id")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Which of a person's orders.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Those of a market.
    pub market: Option<MarketId>,
    /// Those that are open.
    pub only_open: bool,
    /// Those of this name.
    pub client_order_id: Option<&'a str>,
}

/// A person's orders, newest first, before a given one; those that the engine refused are none.
pub async fn list(
    connection: &mut PgConnection,
    user: UserId,
    wanted: &Wanted<'_>,
    before: Option<OrderId>,
    limit: i64,
) -> Result<Vec<OrderRow>, DbError> {
    macro_rules! page {
        ($of_decided:literal) => {
            concat!(
                orders!(
                    $of_decided,
                    "user_id = $1 AND ($2::integer IS NULL OR market = $2) AND ($3::uuid IS NULL OR id < $3)
                     AND ($5::text IS NULL OR client_order_id = $5) ORDER BY id DESC LIMIT $4"
                ),
                " ORDER BY id DESC LIMIT $4"
            )
        };
    }
    let sql = if wanted.only_open {
        page!("status = 'open'")
    } else {
        page!("refusal IS NULL")
    };
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(user.uuid())
        .bind(wanted.market.map(|market| market.0.cast_signed()))
        .bind(before.map(OrderId::uuid))
        .bind(limit)
        .bind(wanted.client_order_id)
        .fetch_all(connection)
        .await
        .doing("reading orders")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Orders whose answer nobody knows, asked for before a moment and after a given one, the oldest first.
pub async fn list_undecided(
    connection: &mut PgConnection,
    after: Option<(Timestamp, OrderId)>,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<OrderRow>, DbError> {
    let (after, last) = after.unzip();
    let rows: Vec<Row> = sqlx::query_as(asked!(
        "placed_at < $1 AND ($2::timestamptz IS NULL OR (placed_at, id) > ($2, $3)) ORDER BY placed_at, id LIMIT $4"
    ))
    .bind(before)
    .bind(after)
    .bind(last.map(OrderId::uuid))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
    .doing("reading orders without an answer")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Whether a person has an order that was asked for after one moment, up to another, and is not shown yet.
pub async fn has_requested(
    connection: &mut PgConnection,
    user: UserId,
    (after, upto): (Timestamp, Timestamp),
) -> Result<bool, DbError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM asked_order WHERE user_id = $1 AND placed_at > $2 AND placed_at <= $3)",
    )
    .bind(user.uuid())
    .bind(after)
    .bind(upto)
    .fetch_one(connection)
    .await
    .doing("looking for orders that are not shown yet")
}

/// Markets where time is over for an open order, or where the last price demands a stop that still waits: a cascade of
/// stops was cut.
pub async fn list_due(connection: &mut PgConnection, now: Timestamp) -> Result<Vec<MarketId>, DbError> {
    let rows: Vec<i32> = sqlx::query_scalar(
        "SELECT market FROM placed_order WHERE status = 'open' AND expires_at IS NOT NULL AND expires_at <= $1
         UNION
         SELECT m.id FROM market m
          WHERE m.state = 'open'
            AND EXISTS (SELECT FROM placed_order o
                         WHERE o.market = m.id AND o.status = 'open' AND o.waiting
                           AND (o.side = 'buy' AND o.stop <= m.last_price OR o.side = 'sell' AND o.stop >= m.last_price))",
    )
    .bind(now)
    .fetch_all(connection)
    .await
    .doing("reading markets with work that is due")?;
    Ok(rows.into_iter().map(market_id).collect())
}

/// Markets in which a person has open orders.
pub async fn list_open_markets(
    connection: &mut PgConnection,
    user: UserId,
) -> Result<Vec<MarketId>, DbError> {
    let rows: Vec<i32> = sqlx::query_scalar(
        "SELECT market FROM placed_order WHERE user_id = $1 AND status = 'open'
         UNION
         SELECT market FROM asked_order WHERE user_id = $1",
    )
    .bind(user.uuid())
    .fetch_all(connection)
    .await
    .doing("reading markets with open orders of a person")?;
    Ok(rows.into_iter().map(market_id).collect())
}

const fn market_id(number: i32) -> MarketId {
    MarketId(number.cast_unsigned())
}

/// Writes a batch; its key is bound in the same transaction.
pub async fn insert_batch(
    tx: &mut PgConnection,
    id: Uuid,
    user: UserId,
    steps: &impl serde::Serialize,
    at: Timestamp,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO order_batch (id, user_id, steps, asked_at) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(user.uuid())
        .bind(Json(serde_json::to_value(steps).expect("steps are plain data")))
        .bind(at)
        .execute(tx)
        .await
        .doing("writing a batch")
        .map(drop)
}

/// What each item of a batch became, and when it was asked for.
pub async fn find_batch<T>(connection: &mut PgConnection, id: Uuid) -> Result<Option<(T, Timestamp)>, DbError>
where
    T: serde::de::DeserializeOwned + Send + Unpin + 'static,
{
    let row: Option<(Json<T>, Timestamp)> =
        sqlx::query_as("SELECT steps, asked_at FROM order_batch WHERE id = $1")
            .bind(id)
            .fetch_optional(connection)
            .await
            .doing("reading a batch")?;
    Ok(row.map(|(steps, at)| (steps.0, at)))
}
