//! The statements that write what events come to: a constant number, over arrays. Callers have locked the markets.

use std::collections::{BTreeSet, HashMap};

use ferrex_money::Amount;
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _, column_of};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{Known, Order, Place, Placed, Trade};

/// Orders by market and number; those that are not there are left out.
pub(super) async fn find(
    tx: &mut PgConnection,
    places: &BTreeSet<Place>,
) -> Result<HashMap<Place, Known>, DbError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let (markets, numbers): (Vec<i32>, Vec<i64>) = places
        .iter()
        .map(|(market, number)| (market.cast_signed(), number.cast_signed()))
        .unzip();
    let rows: Vec<(i32, i64, Uuid, bool)> = sqlx::query_as(
        "SELECT o.market, o.number, o.id, o.status = 'open'
           FROM unnest($1::integer[], $2::bigint[]) AS n (market, number)
           JOIN placed_order o ON o.market = n.market AND o.number = n.number",
    )
    .bind(markets)
    .bind(numbers)
    .fetch_all(tx)
    .await
    .doing("reading orders by number")?;
    let known = |(market, number, id, is_open): (i32, i64, Uuid, bool)| {
        let place = (market.cast_unsigned(), number.cast_unsigned());
        (place, Known { id, is_open })
    };
    Ok(rows.into_iter().map(known).collect())
}

/// Writes orders that were placed, each with what happened to it since, except for a price that was amended.
pub(super) async fn insert_placed(tx: &mut PgConnection, orders: &[Order<'_>]) -> Result<(), DbError> {
    let rows: Vec<(&Order<'_>, &Placed<'_>)> = orders
        .iter()
        .filter_map(|order| Some((order, order.placed.as_ref()?)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let amounts = |of: fn(&Order<'_>) -> Amount| column_of(&rows, |(order, _)| PgU128::from(of(order)));
    // A stop waits even if its price was reached already: that it is triggered is told as another change.
    let waiting = column_of(&rows, |(order, placed)| {
        placed.stop.is_some() && !order.is_triggered
    });
    // One that was asked for here is there, under the id of the command.
    sqlx::query(
        "INSERT INTO placed_order (id, user_id, market, number, side, kind, tif, price, quantity, expires_at, placed_at,
                                   status, stop, waiting, filled, filled_value, fee)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                              $8::numeric[], $9::numeric[], $10::timestamptz[], $11::timestamptz[], $12::text[],
                              $13::numeric[], $14::boolean[], $15::numeric[], $16::numeric[], $17::numeric[])
         ON CONFLICT (id) DO UPDATE
            SET number = excluded.number, status = excluded.status, waiting = excluded.waiting,
                quantity = excluded.quantity, filled = placed_order.filled + excluded.filled,
                filled_value = placed_order.filled_value + excluded.filled_value, fee = placed_order.fee + excluded.fee",
    )
    .bind(column_of(&rows, |(order, _)| order.id))
    .bind(column_of(&rows, |(_, placed)| placed.owner))
    .bind(column_of(&rows, |(_, placed)| placed.event.market.cast_signed()))
    .bind(column_of(&rows, |(_, placed)| placed.number.cast_signed()))
    .bind(column_of(&rows, |(_, placed)| placed.side))
    .bind(column_of(&rows, |(_, placed)| placed.kind))
    .bind(column_of(&rows, |(_, placed)| placed.tif))
    .bind(column_of(&rows, |(_, placed)| PgU128::from(placed.price)))
    .bind(column_of(&rows, |(order, _)| order.quantity.map(PgU128::from)))
    .bind(column_of(&rows, |(_, placed)| placed.expires_at))
    .bind(column_of(&rows, |(_, placed)| placed.event.at))
    .bind(column_of(&rows, |(order, _)| order.status))
    .bind(column_of(&rows, |(_, placed)| placed.stop.map(PgU128::from)))
    .bind(waiting)
    .bind(amounts(|order| order.filled))
    .bind(amounts(|order| order.filled_value))
    .bind(amounts(|order| order.fee))
    .execute(tx)
    .await
    .doing("writing orders that were placed")
    .map(drop)
}

/// Writes what happened to orders that were placed before, and amended prices of the others.
pub(super) async fn change(tx: &mut PgConnection, orders: &[Order<'_>]) -> Result<(), DbError> {
    let rows: Vec<&Order<'_>> = orders
        .iter()
        .filter(|order| order.placed.is_none() || order.price.is_some())
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    // Of an order that was placed in this batch, trades are written already.
    let added = |of: fn(&Order<'_>) -> Amount| {
        column_of(&rows, |order| {
            PgU128::from(order.placed.as_ref().map_or_else(|| of(order), |_| Amount::ZERO))
        })
    };
    sqlx::query(
        "UPDATE placed_order o
            SET price = coalesce(c.price, o.price), quantity = coalesce(c.quantity, o.quantity),
                status = coalesce(c.status, o.status), waiting = o.waiting AND NOT c.triggered,
                filled = o.filled + c.filled, filled_value = o.filled_value + c.filled_value, fee = o.fee + c.fee
           FROM unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::text[], $5::boolean[], $6::numeric[], $7::numeric[],
                       $8::numeric[]) AS c (id, price, quantity, status, triggered, filled, filled_value, fee)
          WHERE o.id = c.id",
    )
    .bind(column_of(&rows, |order| order.id))
    .bind(column_of(&rows, |order| order.price.map(PgU128::from)))
    .bind(column_of(&rows, |order| order.quantity.map(PgU128::from)))
    .bind(column_of(&rows, |order| order.status))
    .bind(column_of(&rows, |order| order.is_triggered))
    .bind(added(|order| order.filled))
    .bind(added(|order| order.filled_value))
    .bind(added(|order| order.fee))
    .execute(tx)
    .await
    .doing("writing what happened to orders")
    .map(drop)
}

/// Writes trades, and adds them to each person's volume of their day.
pub(super) async fn insert_trades(tx: &mut PgConnection, trades: &[Trade<'_>]) -> Result<(), DbError> {
    if trades.is_empty() {
        return Ok(());
    }
    let amounts = |of: fn(&Trade<'_>) -> Amount| column_of(trades, |trade| PgU128::from(of(trade)));
    let at: Vec<Timestamp> = column_of(trades, |trade| trade.event.at);
    sqlx::query(
        "WITH written AS (
             INSERT INTO trade (sequence, place, market, at, price, quantity, value, taker, buyer, buy_order, buy_fee,
                                seller, sell_order, sell_fee)
             SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::timestamptz[], $5::numeric[],
                                  $6::numeric[], $7::numeric[], $8::text[], $9::uuid[], $10::uuid[], $11::numeric[],
                                  $12::uuid[], $13::uuid[], $14::numeric[])
             RETURNING market, at, quantity, value, buyer, seller
         )
         INSERT INTO daily_volume AS v (user_id, market, day, quantity, value)
         SELECT person, market, (at AT TIME ZONE 'UTC')::date AS day, sum(quantity), sum(value)
           FROM written CROSS JOIN LATERAL (VALUES (buyer), (seller)) AS side (person)
          GROUP BY person, market, day
         ON CONFLICT (user_id, market, day) DO UPDATE
            SET quantity = v.quantity + excluded.quantity, value = v.value + excluded.value",
    )
    .bind(column_of(trades, |trade| trade.event.sequence.cast_signed()))
    .bind(column_of(trades, |trade| trade.place))
    .bind(column_of(trades, |trade| trade.event.market.cast_signed()))
    .bind(at)
    .bind(amounts(|trade| trade.price))
    .bind(amounts(|trade| trade.sell.pays))
    .bind(amounts(|trade| trade.buy.pays))
    .bind(column_of(trades, |trade| trade.taker))
    .bind(column_of(trades, |trade| trade.buy.person))
    .bind(column_of(trades, |trade| trade.buy_order))
    .bind(amounts(|trade| trade.buy.fee))
    .bind(column_of(trades, |trade| trade.sell.person))
    .bind(column_of(trades, |trade| trade.sell_order))
    .bind(amounts(|trade| trade.sell.fee))
    .execute(tx)
    .await
    .doing("writing trades")
    .map(drop)
}
