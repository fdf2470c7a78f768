use axum::extract::State;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{self, ListMarkets};
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::reason;
use super::market_view::{FeeRate, MarketView};
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// A market's new fees.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetMarketFees {
    /// By tier, from 0 on; a person above the last tier has the last.
    #[schema(min_items = 1, max_items = 64)]
    tiers: Vec<FeeRate>,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Changes the fees of a market
///
/// They hold for what is traded from then on, also by orders that rest already.
#[utoipa::path(
    put, path = "/v1/markets/{symbol}/fees", operation_id = "set_market_fees", tag = "trading",
    security(("bearer" = [])),
    params(("symbol" = String, Path, pattern = "^[A-Z0-9]{2,12}-[A-Z0-9]{2,12}$", description = "The market's symbol.")),
    request_body = SetMarketFees,
    responses(
        (status = 200, description = "The market as of now.", body = MarketView),
        (status = 409, description = "It does not fit the present state.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(symbol): Path<String>,
    Json(body): Json<SetMarketFees>,
) -> Result<Json<MarketView>, Problem> {
    let reason = reason(&body.reason)?;
    let registry = admin.ask("", &ListMarkets {}).await?;
    let before = registry.markets.iter().find(|market| market.symbol == symbol);
    let before =
        before.ok_or_else(|| Problem::not_found("admin.market.not_found", "there is no such market"))?;
    let what = Act {
        action: "market.set_fees",
        subject: symbol.clone(),
        reason: Some(reason.clone()),
        before: Some(json!(before.fees)),
    };
    let request = payment::SetMarketFees {
        symbol: symbol.clone(),
        fees: body.tiers.into_iter().map(Into::into).collect(),
        by: StaffAction {
            staff: actor.staff,
            reason,
        },
    };
    let market = act(&admin, &actor, what, symbol, request, |market| json!(market.fees)).await?;
    Ok(Json(market.into()))
}
