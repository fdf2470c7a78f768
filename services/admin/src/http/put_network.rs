use axum::extract::State;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{self, ListAssets};
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::reason;
use super::views::NetworkView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// A network.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutNetwork {
    /// Name to show.
    #[schema(min_length = 1, max_length = 60)]
    name: String,
    /// The chain id that every node must answer with; cannot be changed afterwards.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64, example = 1)]
    chain_id: u64,
    /// Node addresses, at least one.
    #[schema(min_items = 1, max_items = 8)]
    rpc_urls: Vec<String>,
    /// Blocks, the one of the transaction included, until a transaction counts.
    #[schema(minimum = 1, maximum = 1_000, example = 12)]
    confirmations: u32,
    /// Block from which on to look, when the network is new; the present one if absent.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    start_height: Option<u64>,
    /// Whether deposits and withdrawals are taken.
    enabled: bool,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Makes a network known, or changes it
#[utoipa::path(
    put, path = "/v1/networks/{key}", operation_id = "put_network", tag = "registry",
    security(("bearer" = [])),
    params(("key" = String, Path, pattern = "^[a-z0-9][a-z0-9-]{1,19}$", description = "2 to 20 of a-z, 0-9 and `-`.")),
    request_body = PutNetwork,
    responses(
        (status = 200, description = "The network as of now.", body = NetworkView),
        (status = 409, description = "It does not fit what is known of it.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(key): Path<String>,
    Json(body): Json<PutNetwork>,
) -> Result<Json<NetworkView>, Problem> {
    let reason = reason(&body.reason)?;
    let registry = admin.ask("", &ListAssets {}).await?;
    let before = registry.networks.iter().find(|network| network.key == key);
    let what = Act {
        action: "network.put",
        subject: key.clone(),
        reason: Some(reason.clone()),
        before: before.map(|network| json!(network)),
    };
    let request = payment::PutNetwork {
        key: key.clone(),
        name: body.name,
        chain_id: body.chain_id,
        rpc_urls: body.rpc_urls,
        confirmations: body.confirmations,
        start_height: body.start_height,
        enabled: body.enabled,
        by: StaffAction {
            staff: actor.staff,
            reason,
        },
    };
    Ok(Json(
        act(&admin, &actor, what, key, request, |network| json!(network))
            .await?
            .into(),
    ))
}
