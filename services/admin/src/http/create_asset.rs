use axum::extract::State;
use axum::http::StatusCode;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment;
use ferrex_money::Decimals;
use ferrex_web::{Json, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::{Terms, reason};
use super::views::AssetView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// An asset. What it is cannot be changed afterwards, only its terms.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateAsset {
    /// 2 to 12 of A-Z and 0-9.
    #[schema(
        min_length = 2,
        max_length = 12,
        pattern = "^[A-Z0-9]{2,12}$",
        example = "USDT"
    )]
    symbol: String,
    /// Name to show.
    #[schema(min_length = 1, max_length = 60)]
    name: String,
    /// Key of its network.
    #[schema(example = "ethereum")]
    network: String,
    /// Contract of an ERC-20 token; absent for the network's own coin.
    contract: Option<String>,
    /// Decimal places; they must agree with the contract.
    #[schema(minimum = 0, maximum = 30, example = 6)]
    decimals: u8,
    /// What can be changed later.
    terms: Terms,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Makes an asset known
#[utoipa::path(
    post, path = "/v1/assets", operation_id = "create_asset", tag = "registry",
    security(("bearer" = [])),
    request_body = CreateAsset,
    responses(
        (status = 201, description = "The asset.", body = AssetView),
        (status = 409, description = "It is known already, or differs from its contract.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Json(body): Json<CreateAsset>,
) -> Result<(StatusCode, Json<AssetView>), Problem> {
    let reason = reason(&body.reason)?;
    let decimals = Decimals::try_new(body.decimals)
        .map_err(|error| Problem::field("admin.asset.decimals", "decimals", error.to_string()))?;
    let terms = body.terms.read(decimals)?;
    let subject = format!("{}@{}", body.symbol, body.network);
    let what = Act {
        action: "asset.create",
        subject: subject.clone(),
        reason: Some(reason.clone()),
        before: None,
    };
    let request = payment::CreateAsset {
        symbol: body.symbol,
        name: body.name,
        network: body.network,
        contract: body.contract,
        decimals,
        terms,
        by: StaffAction {
            staff: actor.staff,
            reason,
        },
    };
    let asset = act(&admin, &actor, what, subject, request, |asset| json!(asset)).await?;
    Ok((StatusCode::CREATED, Json(asset.into())))
}
