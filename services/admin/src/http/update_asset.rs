use axum::extract::State;
use ferrex_contracts::StaffAction;
use ferrex_contracts::payment::{self, ListAssets};
use ferrex_money::AssetId;
use ferrex_web::{Json, Path, Problem};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::input::{Terms, find, reason};
use super::views::AssetView;
use crate::Admin;
use crate::audit::{Act, act};
use crate::sessions::Actor;

/// The new terms, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateAsset {
    /// All of them.
    terms: Terms,
    /// For the audit log.
    #[schema(min_length = 3, max_length = 500)]
    reason: String,
}

/// Changes an asset's terms
#[utoipa::path(
    put, path = "/v1/assets/{id}/terms", operation_id = "update_asset", tag = "registry",
    security(("bearer" = [])),
    params(("id" = u32, Path, description = "The asset's number.")),
    request_body = UpdateAsset,
    responses(
        (status = 200, description = "The asset as of now.", body = AssetView),
        (status = 409, description = "It does not fit the present state.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn handle(
    State(admin): State<Admin>,
    actor: Actor,
    Path(id): Path<u32>,
    Json(body): Json<UpdateAsset>,
) -> Result<Json<AssetView>, Problem> {
    let (asset, reason) = (AssetId(id), reason(&body.reason)?);
    let registry = admin.ask("", &ListAssets {}).await?;
    let before = find(&registry.assets, asset)?;
    let terms = body.terms.read(before.decimals)?;
    let what = Act {
        action: "asset.update",
        subject: format!("{}@{}", before.symbol, before.network),
        reason: Some(reason.clone()),
        before: Some(json!(before)),
    };
    let request = payment::UpdateAsset {
        asset,
        terms,
        by: StaffAction {
            staff: actor.staff,
            reason,
        },
    };
    Ok(Json(
        act(&admin, &actor, what, asset.to_string(), request, |asset| {
            json!(asset)
        })
        .await?
        .into(),
    ))
}
