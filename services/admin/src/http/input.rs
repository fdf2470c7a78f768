//! Checks that several endpoints share.

use ferrex_contracts::payment::{AssetTerms, AssetView};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_web::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=500;

/// A reason that staff give: 3 to 500 characters without control characters, spaces around it left out.
pub(super) fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let good = REASON_CHARS.contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let refused = || {
        Problem::field(
            "admin.reason.malformed",
            "reason",
            "give a reason of 3 to 500 characters",
        )
    };
    good.then(|| text.to_owned()).ok_or_else(refused)
}

/// How many items a list that another service makes shall have.
pub(super) fn limit(limit: Option<u16>) -> Result<u16, Problem> {
    match limit.unwrap_or(20) {
        limit @ 1..=100 => Ok(limit),
        _ => Err(Problem::field("web.query.field", "limit", "from 1 to 100")),
    }
}

/// What can be changed about an asset. Amounts are decimal texts in whole units, such as `0.05`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    /// Smaller deposits are recorded but not credited.
    #[schema(example = "0.001")]
    pub(super) deposit_minimum: String,
    /// The smallest withdrawal.
    #[schema(example = "0.01")]
    pub(super) withdrawal_minimum: String,
    /// What a withdrawal costs.
    #[schema(example = "0.0005")]
    pub(super) withdrawal_fee: String,
    /// Withdrawals above it wait for staff.
    #[schema(example = "2")]
    pub(super) approval_threshold: String,
    /// Whether deposits are credited.
    pub(super) deposits_enabled: bool,
    /// Whether withdrawals are taken.
    pub(super) withdrawals_enabled: bool,
}

impl Terms {
    /// Reads the amounts as ones of an asset with so many decimals.
    pub(super) fn read(&self, decimals: Decimals) -> Result<AssetTerms, Problem> {
        let amount = |field: &str, text: &str| -> Result<Amount, Problem> {
            ferrex_money::parse(text, decimals).map_err(|error| {
                Problem::field(
                    "admin.amount.malformed",
                    format!("terms.{field}"),
                    error.to_string(),
                )
            })
        };
        Ok(AssetTerms {
            deposit_minimum: amount("deposit_minimum", &self.deposit_minimum)?,
            withdrawal_minimum: amount("withdrawal_minimum", &self.withdrawal_minimum)?,
            withdrawal_fee: amount("withdrawal_fee", &self.withdrawal_fee)?,
            approval_threshold: amount("approval_threshold", &self.approval_threshold)?,
            deposits_enabled: self.deposits_enabled,
            withdrawals_enabled: self.withdrawals_enabled,
        })
    }

    /// Writes the terms of an asset.
    pub(super) fn show(asset: &AssetView) -> Self {
        let (terms, show) = (&asset.terms, |amount| {
            ferrex_money::format(amount, asset.decimals)
        });
        Self {
            deposit_minimum: show(terms.deposit_minimum),
            withdrawal_minimum: show(terms.withdrawal_minimum),
            withdrawal_fee: show(terms.withdrawal_fee),
            approval_threshold: show(terms.approval_threshold),
            deposits_enabled: terms.deposits_enabled,
            withdrawals_enabled: terms.withdrawals_enabled,
        }
    }
}

/// The asset of a number, among those of the registry.
pub(super) fn find(assets: &[AssetView], asset: AssetId) -> Result<&AssetView, Problem> {
    let found = assets.iter().find(|view| view.asset == asset);
    found.ok_or_else(|| Problem::not_found("admin.asset.not_found", "there is no such asset"))
}

/// The asset of a symbol that stands in a field.
pub(super) fn asset<'a>(
    assets: &'a [AssetView],
    field: &str,
    symbol: &str,
) -> Result<&'a AssetView, Problem> {
    let found = assets.iter().find(|asset| asset.symbol == symbol);
    found.ok_or_else(|| Problem::field("admin.asset.unknown", field, "there is no asset of this symbol"))
}

/// An amount of an asset, in whole units.
pub(super) fn amount(field: &str, text: &str, asset: &AssetView) -> Result<Amount, Problem> {
    ferrex_money::parse(text, asset.decimals)
        .map_err(|error| Problem::field("admin.amount.malformed", field, error.to_string()))
}
