//! Markets in PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use ferrex_contracts::engine::{FeeRate, MarketState};
use ferrex_contracts::payment::MarketTerms;
use ferrex_engine_core::MarketId;
use ferrex_fault::Fault;
use ferrex_money::{Amount, Decimals};
use ferrex_postgres::{Error as DbError, PgU128, SqlResult as _};
use ferrex_time::Timestamp;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::model::first_rate;
use super::{Error, Market};
use crate::registry::store::column;

/// Advisory lock that makes numbers of markets one after the other.
const NUMBERING: i64 = 0x6d61_726b_6574;

const SELECT: &str = "SELECT m.id, m.symbol, m.terms, m.request, m.state, m.fees, m.last_price, b.symbol AS base_symbol, b.decimals AS base_decimals,
        q.symbol AS quote_symbol, q.decimals AS quote_decimals
   FROM market m JOIN asset b ON b.id = m.base JOIN asset q ON q.id = m.quote";

#[derive(sqlx::FromRow)]
struct Row {
    id: i32,
    symbol: String,
    terms: Json<MarketTerms>,
    request: Uuid,
    state: Option<String>,
    fees: Option<Json<Vec<FeeRate>>>,
    last_price: Option<PgU128>,
    base_symbol: String,
    base_decimals: i16,
    quote_symbol: String,
    quote_decimals: i16,
}

impl From<Row> for Market {
    fn from(row: Row) -> Self {
        let decimals = |places: i16| {
            let places = u8::try_from(places)
                .ok()
                .and_then(|places| Decimals::try_new(places).ok());
            places.expect("the table allows 0 to 30 decimal places")
        };
        Self {
            id: MarketId(row.id.cast_unsigned()),
            symbol: row.symbol,
            base_symbol: row.base_symbol,
            base_decimals: decimals(row.base_decimals),
            quote_symbol: row.quote_symbol,
            quote_decimals: decimals(row.quote_decimals),
            fees: row
                .fees
                .map_or_else(|| vec![first_rate(&row.terms.0)], |fees| fees.0),
            terms: row.terms.0,
            request: row.request,
            state: row.state.as_deref().and_then(state),
            last_price: row.last_price.map(Into::into),
        }
    }
}

fn state(word: &str) -> Option<MarketState> {
    Some(match word {
        "open" => MarketState::Open,
        "cancel_only" => MarketState::CancelOnly,
        "halted" => MarketState::Halted,
        "auction" => MarketState::Auction,
        _ => return None,
    })
}

/// A state as the column holds it.
pub const fn word(state: MarketState) -> &'static str {
    match state {
        MarketState::Open => "open",
        MarketState::CancelOnly => "cancel_only",
        MarketState::Halted => "halted",
        MarketState::Auction => "auction",
    }
}

/// All markets by number.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<Market>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY m.id")))
        .fetch_all(connection)
        .await
        .doing("reading the markets")?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A market by symbol.
pub async fn find(connection: &mut PgConnection, symbol: &str) -> Result<Option<Market>, DbError> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE m.symbol = $1")))
        .bind(symbol)
        .fetch_optional(connection)
        .await
        .doing("reading a market")?;
    Ok(row.map(Into::into))
}

/// Writes a new market; a second one of its symbol waits for the first and finds it.
pub async fn insert(
    tx: &mut PgConnection,
    symbol: &str,
    terms: &MarketTerms,
    request: Uuid,
    at: Timestamp,
) -> Result<Market, Fault> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(NUMBERING)
        .execute(&mut *tx)
        .await
        .doing("waiting for the numbering of markets")?;
    if let Some(present) = find(tx, symbol).await? {
        return Ok(present);
    }
    let inserted = sqlx::query(
        "INSERT INTO market (id, symbol, base, quote, terms, request, created_at)
         SELECT n, $1, $2, $3, $4, $5, $6 FROM (SELECT coalesce(max(id), 0) + 1 AS n FROM market) AS next WHERE n <= $7",
    )
    .bind(symbol)
    .bind(column(terms.base))
    .bind(column(terms.quote))
    .bind(Json(terms))
    .bind(request)
    .bind(at)
    .bind(MarketId::MAX.cast_signed())
    .execute(&mut *tx)
    .await
    .doing("writing a market")?;
    if inserted.rows_affected() == 0 {
        return Err(Error::TooMany.into());
    }
    Ok(find(tx, symbol).await?.ok_or(Error::TooMany)?)
}

/// What is known of a market before what is told of it next.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its terms.
    pub terms: MarketTerms,
    /// Journal id up to which what is told of it is applied.
    pub sequence: u64,
}

/// What was told of a market; what it does not name stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told<'e> {
    /// Journal id up to which it is applied.
    pub sequence: u64,
    /// The state it is in.
    pub state: Option<MarketState>,
    /// Its fees by tier.
    pub fees: Option<&'e [FeeRate]>,
    /// The price of its last trade.
    pub last_price: Option<Amount>,
}

/// Locks markets that are told of until the end of the transaction, in the order of their numbers. Those that did not come
/// through here are left out.
///
/// What follows in the transaction is planned to go by an index: a plan that was made for a table of few rows is kept while it grows.
pub async fn lock(
    tx: &mut PgConnection,
    markets: &BTreeSet<u32>,
) -> Result<BTreeMap<u32, Followed>, DbError> {
    let ids: Vec<i32> = markets.iter().map(|market| market.cast_signed()).collect();
    // No stronger lock: volumes of a day refer to the row.
    let rows: Vec<(i32, Json<MarketTerms>, i64)> = sqlx::query_as(
        "SELECT m.id, m.terms, m.sequence
           FROM market m, (SELECT set_config('enable_seqscan', 'off', true)) AS by_index
          WHERE m.id = ANY($1) ORDER BY m.id FOR NO KEY UPDATE OF m",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .doing("locking markets that are told of")?;
    let followed = |(id, terms, sequence): (i32, Json<MarketTerms>, i64)| {
        let sequence = sequence.cast_unsigned();
        (
            id.cast_unsigned(),
            Followed {
                terms: terms.0,
                sequence,
            },
        )
    };
    Ok(rows.into_iter().map(followed).collect())
}

/// Writes what was told of markets that are locked.
pub async fn write_told(tx: &mut PgConnection, told: &BTreeMap<u32, Told<'_>>) -> Result<(), DbError> {
    let markets: Vec<i32> = told.keys().map(|market| market.cast_signed()).collect();
    let sequences: Vec<i64> = told.values().map(|told| told.sequence.cast_signed()).collect();
    let states: Vec<Option<&str>> = told.values().map(|told| told.state.map(word)).collect();
    let fees: Vec<Option<Json<&[FeeRate]>>> = told.values().map(|told| told.fees.map(Json)).collect();
    let prices: Vec<Option<PgU128>> = told
        .values()
        .map(|told| told.last_price.map(PgU128::from))
        .collect();
    sqlx::query(
        "UPDATE market m
            SET sequence = t.sequence, state = coalesce(t.state, m.state), fees = coalesce(t.fees, m.fees),
                last_price = coalesce(t.last_price, m.last_price)
           FROM unnest($1::integer[], $2::bigint[], $3::text[], $4::jsonb[], $5::numeric[])
             AS t (id, sequence, state, fees, last_price)
          WHERE m.id = t.id",
    )
    .bind(markets)
    .bind(sequences)
    .bind(states)
    .bind(fees)
    .bind(prices)
    .execute(tx)
    .await
    .doing("writing what was told of markets")
    .map(drop)
}

/// Journal id up to which what is told of a market is applied.
pub async fn sequence(connection: &mut PgConnection, market: MarketId) -> Result<u64, DbError> {
    let sequence: Option<i64> = sqlx::query_scalar("SELECT sequence FROM market WHERE id = $1")
        .bind(market.0.cast_signed())
        .fetch_optional(connection)
        .await
        .doing("reading how far a market is known")?;
    Ok(sequence.unwrap_or(0).cast_unsigned())
}
