//! How orders are shown.

use std::collections::HashMap;

use ferrex_engine_core::MarketId;
use ferrex_ids::OrderId;
use ferrex_money::Amount;
use ferrex_time::Timestamp;
use ferrex_web::Problem;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::market::{self, Market};
use crate::order::model::OrderRow;

/// An order. Prices and values are in whole units of the quote asset, quantities of the base asset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderView {
    /// Which.
    #[schema(value_type = String, example = "ord_01kb3x2y6s7v8w9x0y1z2a3b4c")]
    id: OrderId,
    /// Your own name for it.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_order_id: Option<String>,
    /// Symbol of the market.
    #[schema(example = "ETH-USDT")]
    market: String,
    /// `buy` or `sell`.
    #[schema(example = "buy")]
    side: String,
    /// `limit` or `market`.
    #[schema(example = "limit")]
    r#type: String,
    /// `gtc`, `ioc`, `fok` or `post_only`.
    #[schema(example = "gtc")]
    time_in_force: String,
    /// The limit; of a market order the worst price.
    #[schema(example = "2500.5")]
    price: String,
    /// How much; absent for a buy by value.
    #[schema(required = false, example = "0.5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    /// For how much to buy.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// `requested` (the outcome is not known yet), `accepted` (taken; its trades are about to be shown), `waiting` (a stop
    /// whose price was not reached), `open`, `filled`, `cancelled`, `expired`, `unfilled` (could not rest) or `self_trade` (met an order of yours).
    #[schema(example = "open")]
    status: String,
    /// What has traded.
    #[schema(example = "0.2")]
    filled: String,
    /// What that cost or brought.
    #[schema(example = "500.1")]
    filled_value: String,
    /// The fee, taken from what was received.
    #[schema(example = "0.0002")]
    fee: String,
    /// Symbol of the asset that is received and the fee is in.
    #[schema(example = "ETH")]
    fee_asset: String,
    /// Of a stop, the last price that triggers it.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<String>,
    /// Of an iceberg, the most that others see of it at a time.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    display_quantity: Option<String>,
    /// What happens when it meets an order of yours: `cancel_newest`, `cancel_oldest`, `cancel_both` or `decrement`.
    #[schema(required = false, example = "cancel_newest")]
    #[serde(skip_serializing_if = "Option::is_none")]
    self_trade: Option<String>,
    /// From when on it may expire.
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl OrderView {
    /// An order that the engine has taken and the read model does not show yet.
    pub(super) fn accepted(mut self) -> Self {
        if self.status == "requested" {
            "accepted".clone_into(&mut self.status);
        }
        self
    }
}

/// An order as its owner sees it.
pub(super) fn order(row: OrderRow, market: &Market) -> OrderView {
    let fee_asset = received(&row.side, market);
    let waits = row.waiting && row.status == "open";
    OrderView {
        stop_price: row.stop.map(|price| market.quote(price)),
        display_quantity: row.display.map(|amount| market.base(amount)),
        self_trade: row.self_trade,
        id: row.id,
        client_order_id: row.client_order_id,
        market: market.symbol.clone(),
        r#type: row.kind,
        time_in_force: row.tif,
        price: market.quote(row.price),
        quantity: row.quantity.map(|amount| market.base(amount)),
        value: row.value.map(|amount| market.quote(amount)),
        status: if waits { "waiting".to_owned() } else { row.status },
        filled: market.base(row.filled),
        filled_value: market.quote(row.filled_value),
        fee: fee(&row.side, row.fee, market),
        fee_asset,
        side: row.side,
        expires_at: row.expires_at,
        created_at: row.placed_at,
    }
}

/// Symbol of what a side receives.
pub(super) fn received(side: &str, market: &Market) -> String {
    let symbol = if side == "buy" {
        &market.base_symbol
    } else {
        &market.quote_symbol
    };
    symbol.clone()
}

/// A fee in what a side receives.
pub(super) fn fee(side: &str, fee: Amount, market: &Market) -> String {
    if side == "buy" {
        market.base(fee)
    } else {
        market.quote(fee)
    }
}

/// The markets by number.
pub(super) struct Markets(HashMap<MarketId, Market>);

impl Markets {
    /// Reads them.
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, Problem> {
        let markets = market::store::list(connection).await?;
        Ok(Self(
            markets.into_iter().map(|market| (market.id, market)).collect(),
        ))
    }

    /// One of them; what rows refer to exists for ever.
    pub(super) fn get(&self, id: MarketId) -> Result<&Market, Problem> {
        let missing = || {
            let detail = format!("market {} is not known", id.0);
            ferrex_fault::Fault::new(ferrex_fault::Kind::Internal, "payment.market.missing", detail)
        };
        Ok(self.0.get(&id).ok_or_else(missing)?)
    }

    /// The number of a symbol.
    pub(super) fn find(&self, symbol: &str) -> Result<MarketId, Problem> {
        let found = self.0.values().find(|market| market.symbol == symbol);
        let unknown = || {
            Problem::field(
                "payment.market.unknown",
                "market",
                "there is no market of this symbol",
            )
        };
        found.map(|market| market.id).ok_or_else(unknown)
    }
}
