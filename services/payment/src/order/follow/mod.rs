//! What the engine tells of markets, as rows of orders and trades. In the order of the journal, each event once.
//!
//! Events that wait together are folded in memory ([`fold`]) and written with the same few statements, however many they
//! are ([`store`]).

mod fold;
mod store;

use std::collections::BTreeSet;

use ferrex_contracts::engine::MarketChanged;
use ferrex_fault::Fault;
use sqlx::PgConnection;

use crate::market;

/// Applies events, those of a market in the order of the journal. One that was applied before, or of a market that did not
/// come through here, changes nothing.
///
/// Lock order: markets by number, then orders, which nobody else writes once they have a number.
pub async fn apply(tx: &mut PgConnection, events: &[MarketChanged]) -> Result<(), Fault> {
    let numbers: BTreeSet<u32> = events.iter().map(|event| event.market).collect();
    let markets = market::store::lock(tx, &numbers).await?;
    let fresh = fold::fresh(&markets, events);
    if fresh.is_empty() {
        return Ok(());
    }
    let known = store::find(tx, &fold::mentioned(&fresh)).await?;
    let told = fold::fold(&markets, &fresh, known)?;
    store::insert_placed(tx, &told.orders).await?;
    store::change(tx, &told.orders).await?;
    store::insert_trades(tx, &told.trades).await?;
    market::store::write_told(tx, &told.markets).await?;
    Ok(())
}
