//! Orders in PostgreSQL.

use std::collections::HashSet;

use ferrex_contracts::engine::{OrderEnd, Side, Tif};
use ferrex_engine_core::{self as core, MarketId, OrderReport, PlaceOrder, Refusal};
use ferrex_ids::{OrderId, UserId};
use ferrex_money::Amount;
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _, column_of};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// An order as it was asked for.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub user: UserId,
    /// What the engine is asked.
    pub place: PlaceOrder,
    /// The person's own name for it.
    pub client_order_id: Option<String>,
    /// `limit` or `market`.
    pub kind: &'static str,
    /// Limit, or worst price.
    pub price: Amount,
    /// How much; none for a buy by value.
    pub quantity: Option<Amount>,
    /// For how much to buy.
    pub value: Option<Amount>,
    /// What becomes of what does not trade at once.
    pub tif: Tif,
    /// When.
    pub at: Timestamp,
}

impl NewOrder {
    /// `buy` or `sell`.
    pub(super) const fn side(&self) -> &'static str {
        match self.place.side {
            core::Side::Buy => "buy",
            core::Side::Sell => "sell",
        }
    }

    /// As it stands before it is decided.
    pub(super) fn into_row(self) -> OrderRow {
        OrderRow {
            side: self.side().to_owned(),
            id: self.id,
            user: self.user,
            market: self.place.market,
            client_order_id: self.client_order_id,
            command: Some(self.place),
            kind: self.kind.to_owned(),
            tif: tif_word(self.tif).to_owned(),
            price: self.price,
            quantity: self.quantity,
            value: self.value,
            expires_at: self.place.terms.expires_at,
            placed_at: self.at,
            status: "requested".to_owned(),
            refusal: None,
            filled: Amount::ZERO,
            filled_value: Amount::ZERO,
            fee: Amount::ZERO,
            stop: self.place.terms.stop,
            waiting: false,
        }
    }
}

/// An order where it stands.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub user: UserId,
    /// Where.
    pub market: MarketId,
    /// The person's own name for it.
    pub client_order_id: Option<String>,
    /// What the engine was asked; none for one that did not come through here.
    pub command: Option<PlaceOrder>,
    /// `buy` or `sell`.
    pub side: String,
    /// `limit` or `market`.
    pub kind: String,
    /// `gtc`, `ioc`, `fok` or `post_only`.
    pub tif: String,
    /// Limit, or worst price.
    pub price: Amount,
    /// How much; none for a buy by value.
    pub quantity: Option<Amount>,
    /// For how much to buy.
    pub value: Option<Amount>,
    /// From when on it may expire.
    pub expires_at: Option<Timestamp>,
    /// When it was asked for.
    pub placed_at: Timestamp,
    /// Where it stands.
    pub status: String,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// What has traded, of the base asset.
    pub filled: Amount,
    /// What that cost or brought, of the quote asset.
    pub filled_value: Amount,
    /// The fee, of what is received.
    pub fee: Amount,
    /// Of a stop, the last price that triggers it.
    pub stop: Option<Amount>,
    /// Whether it is a stop that was not triggered.
    pub waiting: bool,
}

impl OrderRow {
    /// As cancelled: the engine has said so, even if the read model is late.
    pub(super) fn cancelled(mut self) -> Self {
        "cancelled".clone_into(&mut self.status);
        self
    }

    /// As the engine has answered for it: what the read model is about to show. `lot` is the step of its market's quantities.
    pub(super) fn reported(mut self, report: &OrderReport, lot: Amount) -> Self {
        report
            .end
            .map_or("open", engine_end_word)
            .clone_into(&mut self.status);
        let quantity = lot.units().checked_mul(report.lots.into()).map(Amount::new);
        self.quantity = self.quantity.and(quantity);
        self.filled = report.filled;
        self.filled_value = report.value;
        self.fee = report.fee;
        self.waiting = report.waiting;
        self
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    market: i32,
    client_order_id: Option<String>,
    command: Option<Json<PlaceOrder>>,
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
    waiting: bool,
}

impl From<Row> for OrderRow {
    fn from(row: Row) -> Self {
        Self {
            id: OrderId::from_uuid(row.id),
            user: UserId::from_uuid(row.user_id),
            market: MarketId(row.market.cast_unsigned()),
            client_order_id: row.client_order_id,
            command: row.command.map(|command| command.0),
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
            waiting: row.waiting,
        }
    }
}

pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(super) const fn tif_word(tif: Tif) -> &'static str {
    match tif {
        Tif::Gtc => "gtc",
        Tif::Ioc => "ioc",
        Tif::Fok => "fok",
        Tif::PostOnly => "post_only",
    }
}

pub(super) const fn end_word(end: OrderEnd) -> &'static str {
    match end {
        OrderEnd::Filled => "filled",
        OrderEnd::Cancelled => "cancelled",
        OrderEnd::Expired => "expired",
        OrderEnd::Unfilled => "unfilled",
        OrderEnd::SelfTrade => "self_trade",
    }
}

const fn engine_end_word(end: core::End) -> &'static str {
    match end {
        core::End::Filled => "filled",
        core::End::Cancelled => "cancelled",
        core::End::Expired => "expired",
        core::End::Unfilled => "unfilled",
        core::End::SelfTrade => "self_trade",
    }
}

/// Writes the orders of a batch that are going to be asked of the engine; the batch's key is bound in the same transaction. Answers
/// which are written: not those whose name an open order of the person has, or one before them.
pub async fn insert_all(tx: &mut PgConnection, orders: &[&NewOrder]) -> Result<HashSet<OrderId>, DbError> {
    if orders.is_empty() {
        return Ok(HashSet::new());
    }
    let written: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO placed_order (id, user_id, market, client_order_id, command, side, kind, tif, price, quantity, value,
                                   expires_at, placed_at, status, stop)
         SELECT o.id, o.user_id, o.market, o.client_order_id, o.command, o.side, o.kind, o.tif, o.price, o.quantity, o.value,
                o.expires_at, o.placed_at, 'requested', o.stop
           FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::jsonb[], $6::text[], $7::text[], $8::text[],
                       $9::numeric[], $10::numeric[], $11::numeric[], $12::timestamptz[], $13::timestamptz[],
                       $14::numeric[]) WITH ORDINALITY
                AS o (id, user_id, market, client_order_id, command, side, kind, tif, price, quantity, value, expires_at,
                      placed_at, stop, place)
          ORDER BY o.place
         ON CONFLICT (user_id, client_order_id) WHERE status IN ('requested', 'open') AND client_order_id IS NOT NULL
         DO NOTHING
         RETURNING id",
    )
    .bind(column_of(orders, |order| order.id.uuid()))
    .bind(column_of(orders, |order| order.user.uuid()))
    .bind(column_of(orders, |order| order.place.market.0.cast_signed()))
    .bind(column_of(orders, |order| order.client_order_id.as_deref()))
    .bind(column_of(orders, |order| Json(order.place)))
    .bind(column_of(orders, |order| order.side()))
    .bind(column_of(orders, |order| order.kind))
    .bind(column_of(orders, |order| tif_word(order.tif)))
    .bind(column_of(orders, |order| PgU128::from(order.price)))
    .bind(column_of(orders, |order| order.quantity.map(PgU128::from)))
    .bind(column_of(orders, |order| order.value.map(PgU128::from)))
    .bind(column_of(orders, |order| order.place.terms.expires_at))
    .bind(column_of(orders, |order| order.at))
    .bind(column_of(orders, |order| order.place.terms.stop.map(PgU128::from)))
    .fetch_all(tx)
    .await
    .doing("writing the orders of a batch")?;
    Ok(written.into_iter().map(OrderId::from_uuid).collect())
}

/// An order that the engine refused, or that never came to be.
#[derive(Clone, Copy, Debug)]
pub struct RefusedOrder {
    /// Which.
    pub id: OrderId,
    /// `refused` or `lapsed`.
    pub status: &'static str,
    /// Why.
    pub refusal: Refusal,
}

/// Writes what became of orders that were refused, of those that nobody knew of yet.
pub async fn set_refused(connection: &mut PgConnection, refused: &[RefusedOrder]) -> Result<(), DbError> {
    if refused.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE placed_order o SET status = r.status, refusal = r.refusal
           FROM unnest($1::uuid[], $2::text[], $3::smallint[]) AS r (id, status, refusal)
          WHERE o.id = r.id AND o.status = 'requested'",
    )
    .bind(column_of(refused, |order| order.id.uuid()))
    .bind(column_of(refused, |order| order.status))
    .bind(column_of(refused, |order| order.refusal.code().cast_signed()))
    .execute(connection)
    .await
    .doing("writing that orders were refused")
    .map(drop)
}

/// One order.
pub async fn find(connection: &mut PgConnection, id: OrderId) -> Result<Option<OrderRow>, DbError> {
    let row: Option<Row> = sqlx::query_as("SELECT * FROM placed_order WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
        .doing("reading an order")?;
    Ok(row.map(Into::into))
}

/// Some orders, in no order.
pub async fn find_many(connection: &mut PgConnection, ids: &[OrderId]) -> Result<Vec<OrderRow>, DbError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM placed_order WHERE id = ANY($1)")
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
    let states = if wanted.only_open {
        "status IN ('requested', 'open')"
    } else {
        "status NOT IN ('refused', 'lapsed')"
    };
    let sql = format!(
        "SELECT * FROM placed_order
          WHERE user_id = $1 AND {states} AND ($2::integer IS NULL OR market = $2) AND ($3::uuid IS NULL OR id < $3)
            AND ($5::text IS NULL OR client_order_id = $5)
          ORDER BY id DESC LIMIT $4"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
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
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM placed_order
          WHERE status = 'requested' AND placed_at < $1 AND ($2::timestamptz IS NULL OR (placed_at, id) > ($2, $3))
          ORDER BY placed_at, id LIMIT $4",
    )
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
        "SELECT EXISTS (SELECT FROM placed_order
                         WHERE user_id = $1 AND status = 'requested' AND placed_at > $2 AND placed_at <= $3)",
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
        "SELECT DISTINCT market FROM placed_order WHERE user_id = $1 AND status IN ('requested', 'open') ORDER BY market",
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
