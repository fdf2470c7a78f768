use axum::extract::State;
use ferrex_web::{Caller, Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::{Assets, connection};
use crate::Payment;
use crate::fee::{Schedule, store};
use crate::market;
use crate::order::shown;

/// Your trading fees.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FeesView {
    /// Your tier, from 0 on.
    #[schema(example = 1)]
    tier: u8,
    /// What you have traded in 30 days, and the tiers there are; absent while everybody is in tier 0.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<VolumeView>,
    /// What you pay in each market.
    markets: Vec<MarketFees>,
}

/// What was traded, in whole units of an asset. Trades in markets of that asset count.
#[derive(Debug, Serialize, ToSchema)]
struct VolumeView {
    /// Symbol of the asset.
    #[schema(example = "USDT")]
    asset: String,
    /// What you have traded in 30 days, today included. Your tier follows within minutes.
    #[schema(example = "125000.5")]
    traded: String,
    /// The tiers above 0.
    tiers: Vec<TierView>,
}

/// A tier.
#[derive(Debug, Serialize, ToSchema)]
struct TierView {
    /// Its number.
    #[schema(example = 1)]
    tier: u8,
    /// The least volume for it.
    #[schema(example = "100000")]
    from: String,
}

/// Fees in a market, in millionths of what is received.
#[derive(Debug, Serialize, ToSchema)]
struct MarketFees {
    /// Its symbol.
    #[schema(example = "ETH-USDT")]
    market: String,
    /// Of an order that rested.
    #[schema(example = 1000)]
    maker_ppm: u32,
    /// Of an order that came.
    #[schema(example = 2000)]
    taker_ppm: u32,
    /// The same for each tier, from 0 on.
    tiers: Vec<Rate>,
}

/// Fees of a tier, in millionths of what is received.
#[derive(Debug, Serialize, ToSchema)]
struct Rate {
    /// Of an order that rested.
    maker_ppm: u32,
    /// Of an order that came.
    taker_ppm: u32,
}

fn of(market: &market::Market, tier: u8) -> MarketFees {
    let mine = market.rate(tier);
    let rate = |rate: &ferrex_contracts::engine::FeeRate| Rate {
        maker_ppm: rate.maker_ppm,
        taker_ppm: rate.taker_ppm,
    };
    MarketFees {
        market: market.symbol.clone(),
        maker_ppm: mine.maker_ppm,
        taker_ppm: mine.taker_ppm,
        tiers: market.fees.iter().map(rate).collect(),
    }
}

/// Shows your trading fees
///
/// A fee is taken from what a trade brings you.
#[utoipa::path(get, path = "/v1/fees", tag = "trading", operation_id = "get_fees",
    security(("bearer" = [])),
    responses((status = 200, description = "Your fees.", body = FeesView)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
) -> Result<Json<FeesView>, Problem> {
    shown::wait(&payment.context, caller.user).await?;
    let mut open = connection(&payment).await?;
    let markets = market::store::list(&mut open).await?;
    let tier = store::tier_of(&mut open, caller.user).await?;
    let volume = match store::find_schedule(&mut open).await? {
        None => None,
        Some(schedule) => {
            let now = payment.context.clock.now();
            let traded = store::volume_of(&mut open, schedule.asset, caller.user, now).await?;
            let assets = Assets::read(&mut open).await?;
            let asset = assets.get(schedule.asset)?;
            let Schedule { volumes, .. } = &schedule;
            let tier = |(tier, volume): (u8, &ferrex_money::Amount)| TierView {
                tier,
                from: asset.text(*volume),
            };
            Some(VolumeView {
                asset: asset.symbol.clone(),
                traded: asset.text(traded),
                tiers: (1..).zip(volumes).map(tier).collect(),
            })
        }
    };
    Ok(Json(FeesView {
        tier,
        volume,
        markets: markets
            .iter()
            .filter(|market| market.state.is_some())
            .map(|market| of(market, tier))
            .collect(),
    }))
}
