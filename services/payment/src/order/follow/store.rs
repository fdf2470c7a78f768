//! The statements that write what events come to: a constant number, over arrays. Callers have locked the markets.

use std::collections::{BTreeSet, HashMap};

use ferrex_money::Amount;
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _, entry};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{Known, Order, Place, Trade};
use crate::order::store::{free_names, take_asked};

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
    let rows: Vec<(i32, i64, Uuid, Uuid, bool)> = sqlx::query_as(
        "SELECT o.market, o.number, o.user_id, o.id, o.status = 'open'
           FROM unnest($1::integer[], $2::bigint[]) AS n (market, number)
           JOIN placed_order o ON o.market = n.market AND o.number = n.number",
    )
    .bind(markets)
    .bind(numbers)
    .fetch_all(tx)
    .await
    .doing("reading orders by number")?;
    let known = |(market, number, owner, id, is_open): (i32, i64, Uuid, Uuid, bool)| {
        let place = (market.cast_unsigned(), number.cast_unsigned());
        (place, Known { owner, id, is_open })
    };
    Ok(rows.into_iter().map(known).collect())
}

#[derive(sqlx::Encode)]
struct PlacedEntry {
    id: Uuid,
    user_id: Uuid,
    market: i32,
    number: i64,
    side: &'static str,
    kind: &'static str,
    tif: &'static str,
    price: PgU128,
    quantity: Option<PgU128>,
    expires_at: Option<Timestamp>,
    placed_at: Timestamp,
    status: Option<&'static str>,
    stop: Option<PgU128>,
    waiting: bool,
    filled: PgU128,
    filled_value: PgU128,
    fee: PgU128,
}

entry!(PlacedEntry, "placed_order_entry");

/// Writes orders that were placed, each with what happened to it since, except for a price that was amended.
pub(super) async fn insert_placed(tx: &mut PgConnection, orders: &[Order<'_>]) -> Result<(), DbError> {
    let entry = |order: &Order<'_>| {
        let placed = order.placed.as_ref()?;
        Some(PlacedEntry {
            id: order.id,
            user_id: order.owner,
            market: placed.event.market.cast_signed(),
            number: placed.number.cast_signed(),
            side: placed.side,
            kind: placed.kind,
            tif: placed.tif,
            price: placed.price.into(),
            quantity: order.quantity.map(Into::into),
            expires_at: placed.expires_at,
            placed_at: placed.event.at,
            status: order.status,
            stop: placed.stop.map(Into::into),
            // A stop waits even if its price was reached already: that it is triggered is told as another change.
            waiting: placed.stop.is_some() && !order.is_triggered,
            filled: order.filled.into(),
            filled_value: order.filled_value.into(),
            fee: order.fee.into(),
        })
    };
    let entries: Vec<PlacedEntry> = orders.iter().filter_map(entry).collect();
    if entries.is_empty() {
        return Ok(());
    }
    // One that was asked for here is as it was asked for, under the id of the command.
    sqlx::query(concat!(
        "WITH entry AS MATERIALIZED (
             SELECT * FROM unnest($1)
         ), asked AS (",
        take_asked!("entry"),
        "), written AS (
             INSERT INTO placed_order (user_id, id, market, number, client_order_id, side, kind, tif, price, quantity, value,
                                       expires_at, placed_at, status, stop, waiting, filled, filled_value, fee, display, self_trade)
             SELECT e.user_id, e.id, e.market, e.number, a.client_order_id, e.side, coalesce(a.kind, e.kind),
                    coalesce(a.tif, e.tif), coalesce(a.price, e.price), e.quantity, a.value, coalesce(a.expires_at, e.expires_at),
                    coalesce(a.placed_at, e.placed_at), e.status, e.stop, e.waiting, e.filled, e.filled_value, e.fee, a.display,
                    a.self_trade
               FROM entry e LEFT JOIN asked a ON a.user_id = e.user_id AND a.id = e.id
             RETURNING user_id, client_order_id, id, status
         ) ",
        free_names!("written"),
    ))
    .bind(entries)
    .execute(tx)
    .await
    .doing("writing orders that were placed")
    .map(drop)
}

#[derive(sqlx::Encode)]
struct ChangedEntry {
    user_id: Uuid,
    id: Uuid,
    price: Option<PgU128>,
    quantity: Option<PgU128>,
    status: Option<&'static str>,
    triggered: bool,
    filled: PgU128,
    filled_value: PgU128,
    fee: PgU128,
}

entry!(ChangedEntry, "changed_order_entry");

/// Writes what happened to orders that were placed before, and amended prices of the others.
pub(super) async fn change(tx: &mut PgConnection, orders: &[Order<'_>]) -> Result<(), DbError> {
    let entry = |order: &Order<'_>| {
        // Of an order that was placed in this batch, trades are written already.
        let added = |amount: Amount| PgU128::from(order.placed.as_ref().map_or(amount, |_| Amount::ZERO));
        ChangedEntry {
            user_id: order.owner,
            id: order.id,
            price: order.price.map(Into::into),
            quantity: order.quantity.map(Into::into),
            status: order.status,
            triggered: order.is_triggered,
            filled: added(order.filled),
            filled_value: added(order.filled_value),
            fee: added(order.fee),
        }
    };
    let entries: Vec<ChangedEntry> = orders
        .iter()
        .filter(|order| order.placed.is_none() || order.price.is_some())
        .map(entry)
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!(
        "WITH changed AS (
             UPDATE placed_order o
                SET price = coalesce(c.price, o.price), quantity = coalesce(c.quantity, o.quantity),
                    status = coalesce(c.status, o.status), waiting = o.waiting AND NOT c.triggered,
                    filled = o.filled + c.filled, filled_value = o.filled_value + c.filled_value, fee = o.fee + c.fee
               FROM unnest($1) AS c
              WHERE o.user_id = c.user_id AND o.id = c.id
             RETURNING o.user_id, o.client_order_id, o.id, o.status
         ) ",
        free_names!("changed"),
    ))
    .bind(entries)
    .execute(tx)
    .await
    .doing("writing what happened to orders")
    .map(drop)
}

#[derive(sqlx::Encode)]
struct TradeEntry {
    sequence: i64,
    place: i32,
    market: i32,
    at: Timestamp,
    price: PgU128,
    quantity: PgU128,
    value: PgU128,
    taker: Option<&'static str>,
    buyer: Option<Uuid>,
    buy_order: Uuid,
    buy_fee: PgU128,
    seller: Option<Uuid>,
    sell_order: Uuid,
    sell_fee: PgU128,
}

entry!(TradeEntry, "trade_entry");

/// Writes trades, and adds them to each person's volume of their day.
pub(super) async fn insert_trades(tx: &mut PgConnection, trades: &[Trade<'_>]) -> Result<(), DbError> {
    if trades.is_empty() {
        return Ok(());
    }
    let entry = |trade: &Trade<'_>| TradeEntry {
        sequence: trade.event.sequence.cast_signed(),
        place: trade.place,
        market: trade.event.market.cast_signed(),
        at: trade.event.at,
        price: trade.price.into(),
        quantity: trade.sell.pays.into(),
        value: trade.buy.pays.into(),
        taker: trade.taker,
        buyer: trade.buy.person,
        buy_order: trade.buy_order,
        buy_fee: trade.buy.fee.into(),
        seller: trade.sell.person,
        sell_order: trade.sell_order,
        sell_fee: trade.sell.fee.into(),
    };
    sqlx::query(
        "WITH written AS (
             INSERT INTO trade (sequence, place, market, at, price, quantity, value, taker, buyer, buy_order, buy_fee,
                                seller, sell_order, sell_fee)
             SELECT e.* FROM unnest($1) AS e
             RETURNING market, at, quantity, value, buyer, seller
         )
         INSERT INTO daily_volume AS v (user_id, market, day, quantity, value)
         SELECT person, market, (at AT TIME ZONE 'UTC')::date AS day, sum(quantity), sum(value)
           FROM written CROSS JOIN LATERAL (VALUES (buyer), (seller)) AS side (person)
          GROUP BY person, market, day
         ON CONFLICT (user_id, market, day) DO UPDATE
            SET quantity = v.quantity + excluded.quantity, value = v.value + excluded.value",
    )
    .bind(trades.iter().map(entry).collect::<Vec<_>>())
    .execute(tx)
    .await
    .doing("writing trades")
    .map(drop)
}
