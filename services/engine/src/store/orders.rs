//! Markets, orders and fee tiers: their part of the journal's rows, and their projection.

use ferrex_engine_core::{
    Details, JournalRow, MarketId, MarketView, OrderChanges, OrderFlags, OrderNo, OrderPart, OrderState,
};
use ferrex_postgres::{Copied, CopiedRow, PgU128, column_of, copy_out, entry};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::journal::within;
use super::projection::TOGETHER;
use super::{natural, stored};
use crate::Error;
use crate::error::Doing as _;

/// What a row has about an order, as `append()` takes it; `place` says which row, from 1 on. Prices, quantities and numbers are
/// stored by their bit patterns.
#[derive(sqlx::Encode)]
pub(super) struct OrderEntry {
    place: i32,
    market: i32,
    order_no: i64,
    other_no: i64,
    price: i64,
    lots: i64,
    lots_left: i64,
    display: i64,
    stop: i64,
    flags: i32,
    fee: PgU128,
    client: Option<Uuid>,
    details: Option<Json<Details>>,
}

entry!(OrderEntry, "journal_order_entry");

/// Of the rows that have one.
pub(super) fn entries(rows: &[JournalRow]) -> Result<Vec<OrderEntry>, Error> {
    let mut entries = Vec::new();
    for (place, row) in (1..).zip(rows) {
        let Some(part) = &row.order else { continue };
        let market = part.market.0;
        entries.push(OrderEntry {
            place,
            market: market.try_into().map_err(|_| stored("market", market))?,
            order_no: part.order.0.cast_signed(),
            other_no: part.other.0.cast_signed(),
            price: part.price.cast_signed(),
            lots: part.lots.cast_signed(),
            lots_left: part.left.cast_signed(),
            display: part.display.cast_signed(),
            stop: part.stop.cast_signed(),
            flags: part.flags.0.into(),
            fee: PgU128(part.fee),
            client: part.client,
            details: row.details.as_deref().cloned().map(Json),
        });
    }
    Ok(entries)
}

/// What rows after `after` up to `upto` have about markets and orders, in order, to be read by [`part`]. Only for a connection of
/// one's own, which an error leaves in no state to go on with.
pub(super) async fn parts_between(
    connection: &mut PgConnection,
    after: u64,
    upto: u64,
) -> Result<Copied, Error> {
    let query = format!(
        "SELECT id, market, order_no, other_no, price, lots, lots_left, display, stop, flags, fee, client, details::text
           FROM journal_order WHERE {} ORDER BY batch, id",
        within(after, upto)
    );
    Ok(copy_out(connection, &query, "reading the journal's orders").await?)
}

/// Such a part, with the id of its row.
pub(super) fn part(row: &mut CopiedRow<'_>) -> Result<(u64, OrderPart, Option<Box<Details>>), Error> {
    let id = row.i64()?;
    let part = OrderPart {
        market: MarketId(natural(row.i32()?, "market", id)?),
        order: OrderNo(row.i64()?.cast_unsigned()),
        other: OrderNo(row.i64()?.cast_unsigned()),
        price: row.i64()?.cast_unsigned(),
        lots: row.i64()?.cast_unsigned(),
        left: row.i64()?.cast_unsigned(),
        display: row.i64()?.cast_unsigned(),
        stop: row.i64()?.cast_unsigned(),
        flags: OrderFlags(natural(row.i32()?, "flags", id)?),
        fee: row.amount()?,
        client: row.uuid()?,
    };
    let details = row.bytes()?.map(serde_json::from_slice).transpose();
    let details = details.map_err(|_| stored("details", id))?;
    Ok((natural(id, "id", id)?, part, details))
}

/// Brings the tables to the values of `changes`. May be repeated.
pub(super) async fn project(connection: &mut PgConnection, changes: &OrderChanges) -> Result<(), Error> {
    if !changes.markets.is_empty() {
        project_markets(connection, &changes.markets).await?;
    }
    for open in changes.open.chunks(TOGETHER) {
        project_open(connection, open).await?;
    }
    for closed in changes.closed.chunks(TOGETHER) {
        let (markets, orders): (Vec<i32>, Vec<i64>) = closed
            .iter()
            .map(|(market, order)| (market.0.cast_signed(), order.0.cast_signed()))
            .unzip();
        sqlx::query(
            "DELETE FROM open_order o USING unnest($1::integer[], $2::bigint[]) AS c (market, order_no)
              WHERE o.market = c.market AND o.order_no = c.order_no",
        )
        .bind(markets)
        .bind(orders)
        .execute(&mut *connection)
        .await
        .doing("projecting ended orders")?;
    }
    if !changes.tiers.is_empty() {
        let (owners, tiers): (Vec<Uuid>, Vec<i16>) = changes
            .tiers
            .iter()
            .map(|(owner, tier)| (*owner, i16::from(*tier)))
            .unzip();
        sqlx::query(
            "INSERT INTO fee_tier (owner, tier) SELECT * FROM unnest($1::uuid[], $2::smallint[])
             ON CONFLICT (owner) DO UPDATE SET tier = excluded.tier",
        )
        .bind(owners)
        .bind(tiers)
        .execute(&mut *connection)
        .await
        .doing("projecting fee tiers")?;
    }
    Ok(())
}

async fn project_markets(connection: &mut PgConnection, markets: &[MarketView]) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO market (id, spec, state, fees, last_price, last_order)
         SELECT * FROM unnest($1::integer[], $2::jsonb[], $3::smallint[], $4::jsonb[], $5::bigint[], $6::bigint[])
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, fees = excluded.fees, last_price = excluded.last_price,
                                        last_order = excluded.last_order",
    )
    .bind(column_of(markets, |m| m.id.0.cast_signed()))
    .bind(column_of(markets, |m| Json(m.spec)))
    .bind(column_of(markets, |m| i16::from(m.state.code())))
    .bind(column_of(markets, |m| Json(m.fees.clone())))
    .bind(column_of(markets, |m| m.last_price.cast_signed()))
    .bind(column_of(markets, |m| m.last_order.0.cast_signed()))
    .execute(connection)
    .await
    .doing("projecting markets")?;
    Ok(())
}

async fn project_open(connection: &mut PgConnection, open: &[OrderState]) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO open_order (market, order_no, owner, side, limit_price, lots, lots_left, shown, display, value, by_market,
                                 tif, stop, waiting, expires_at, self_trade, priority, held, account, client)
         SELECT * FROM unnest($1::integer[], $2::bigint[], $3::uuid[], $4::smallint[], $5::bigint[], $6::bigint[],
                              $7::bigint[], $8::bigint[], $9::bigint[], $10::numeric[], $11::boolean[], $12::smallint[],
                              $13::bigint[], $14::boolean[], $15::timestamptz[], $16::smallint[], $17::bigint[],
                              $18::numeric[], $19::integer[], $20::uuid[])
         ON CONFLICT (market, order_no) DO UPDATE
            SET limit_price = excluded.limit_price, lots = excluded.lots, lots_left = excluded.lots_left,
                shown = excluded.shown, display = excluded.display, value = excluded.value, stop = excluded.stop,
                waiting = excluded.waiting, priority = excluded.priority, held = excluded.held",
    )
    .bind(column_of(open, |o| o.market.0.cast_signed()))
    .bind(column_of(open, |o| o.open.order.0.cast_signed()))
    .bind(column_of(open, |o| o.owner))
    .bind(column_of(open, |o| i16::from(o.open.side.code())))
    .bind(column_of(open, |o| o.open.limit.cast_signed()))
    .bind(column_of(open, |o| o.open.total.cast_signed()))
    .bind(column_of(open, |o| o.open.left.cast_signed()))
    .bind(column_of(open, |o| o.open.shown.cast_signed()))
    .bind(column_of(open, |o| o.open.display.cast_signed()))
    .bind(column_of(open, |o| PgU128(o.open.value)))
    .bind(column_of(open, |o| o.open.market))
    .bind(column_of(open, |o| i16::from(o.open.tif.code())))
    .bind(column_of(open, |o| o.open.stop.cast_signed()))
    .bind(column_of(open, |o| o.open.waiting))
    .bind(column_of(open, OrderState::expires_at))
    .bind(column_of(open, |o| i16::from(o.open.self_trade.code())))
    .bind(column_of(open, |o| o.open.priority.cast_signed()))
    .bind(column_of(open, |o| PgU128(o.held)))
    .bind(column_of(open, |o| o.account.0.cast_signed()))
    .bind(column_of(open, |o| o.client))
    .execute(connection)
    .await
    .doing("projecting open orders")?;
    Ok(())
}
