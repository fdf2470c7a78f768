//! Markets that were read before, so that an order does not read its market again: number, symbols, decimal places and terms
//! never change.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use ferrex_engine_core::MarketId;
use ferrex_fault::Fault;
use ferrex_postgres::{Db, Error as DbError};

use super::{Market, store};

/// The markets of this process. State, fees and last price of what it answers are as old as the first look.
#[derive(Debug, Default)]
pub struct Known(RwLock<HashMap<MarketId, Arc<Market>>>);

impl Known {
    /// A market by symbol.
    pub async fn find(&self, db: &Db, symbol: &str) -> Result<Option<Arc<Market>>, Fault> {
        self.look(db, |market| market.symbol == symbol).await
    }

    /// A market by number.
    pub async fn get(&self, db: &Db, id: MarketId) -> Result<Option<Arc<Market>>, Fault> {
        self.look(db, |market| market.id == id).await
    }

    async fn look(
        &self,
        db: &Db,
        wanted: impl Fn(&Market) -> bool + Send,
    ) -> Result<Option<Arc<Market>>, Fault> {
        if let Some(market) = self.known(&wanted) {
            return Ok(Some(market));
        }
        let mut open = db.pool().acquire().await.map_err(DbError::Connect)?;
        let markets = store::list(&mut open).await?;
        drop(open);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for market in markets {
            known.entry(market.id).or_insert_with(|| Arc::new(market));
        }
        drop(known);
        Ok(self.known(&wanted))
    }

    fn known(&self, wanted: impl Fn(&Market) -> bool) -> Option<Arc<Market>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.values().find(|market| wanted(market)).cloned()
    }
}
