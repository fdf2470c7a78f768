//! Which volume gives which tier: shown by one endpoint, changed by another.

use ferrex_contracts::payment::{self, AssetView};
use ferrex_web::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::input::find;

/// Which volume of 30 days gives which fee tier.
#[derive(Serialize, ToSchema)]
pub(super) struct FeeScheduleView {
    /// Symbol of the asset that volumes are in: trades in its markets count. Absent while everybody is in tier 0.
    #[schema(required = false, example = "USDT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    /// The least volume for tier 1, for tier 2 and so on, in whole units.
    #[schema(example = json!(["100000", "1000000"]))]
    volumes: Vec<String>,
}

/// A schedule as staff see it.
pub(super) fn show(
    schedule: &payment::FeeSchedule,
    assets: &[AssetView],
) -> Result<FeeScheduleView, Problem> {
    let Some(asset) = schedule.asset else {
        return Ok(FeeScheduleView {
            asset: None,
            volumes: Vec::new(),
        });
    };
    let asset = find(assets, asset)?;
    let text = |amount| ferrex_money::format(amount, asset.decimals);
    Ok(FeeScheduleView {
        asset: Some(asset.symbol.clone()),
        volumes: schedule.volumes.iter().copied().map(text).collect(),
    })
}
