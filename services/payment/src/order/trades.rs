//! Trades in PostgreSQL, as their people see them.

use ferrex_engine_core::MarketId;
use ferrex_ids::{OrderId, UserId};
use ferrex_money::Amount;
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

/// A trade as one of its two people sees it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TradeRow {
    /// Journal id of the command.
    pub sequence: i64,
    /// Place within the command.
    pub place: i32,
    market: i32,
    /// When.
    pub at: Timestamp,
    price: PgU128,
    quantity: PgU128,
    value: PgU128,
    taker: Option<String>,
    buyer: Uuid,
    buy_order: Uuid,
    buy_fee: PgU128,
    sell_order: Uuid,
    sell_fee: PgU128,
}

impl TradeRow {
    /// Where.
    pub const fn market(&self) -> MarketId {
        MarketId(self.market.cast_unsigned())
    }

    /// Price, quantity and value.
    pub fn amounts(&self) -> (Amount, Amount, Amount) {
        (self.price.into(), self.quantity.into(), self.value.into())
    }

    /// Side, order, role and fee of a person.
    pub fn of(&self, user: UserId) -> (&'static str, OrderId, &'static str, Amount) {
        let (side, order, fee) = if self.buyer == user.uuid() {
            ("buy", self.buy_order, self.buy_fee)
        } else {
            ("sell", self.sell_order, self.sell_fee)
        };
        let role = match self.taker.as_deref() {
            None => "auction",
            Some(taker) if taker == side => "taker",
            Some(_) => "maker",
        };
        (side, OrderId::from_uuid(order), role, fee.into())
    }
}

/// A person's trades, newest first, below a given place.
pub async fn list(
    connection: &mut PgConnection,
    user: UserId,
    order: Option<OrderId>,
    below: Option<(i64, i32)>,
    limit: i64,
) -> Result<Vec<TradeRow>, DbError> {
    let (sequence, place) = below.unwrap_or((i64::MAX, i32::MAX));
    sqlx::query_as(
        "SELECT sequence, place, market, at, price, quantity, value, taker, buyer, buy_order, buy_fee, sell_order, sell_fee
           FROM trade
          WHERE (buyer = $1 OR seller = $1) AND (sequence, place) < ($2, $3)
            AND ($5::uuid IS NULL OR buy_order = $5 OR sell_order = $5)
          ORDER BY sequence DESC, place DESC LIMIT $4",
    )
    .bind(user.uuid())
    .bind(sequence)
    .bind(place)
    .bind(limit)
    .bind(order.map(OrderId::uuid))
    .fetch_all(connection)
    .await
    .doing("reading trades")
}
