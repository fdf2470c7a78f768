use axum::extract::State;
use ferrex_web::{Caller, Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Payment;
use crate::withdrawal::request::{self, Asked};

/// A withdrawal to look at before asking for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewWithdrawal {
    /// Symbol of the asset.
    #[schema(example = "ETH", max_length = 12)]
    asset: String,
    /// Key of the network.
    #[schema(example = "ethereum", max_length = 20)]
    network: String,
    /// Where to.
    #[schema(example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")]
    address: String,
    /// What the payee shall receive, in whole units.
    #[schema(example = "0.5")]
    amount: String,
}

/// What a withdrawal would be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WithdrawalPreview {
    /// Symbol of the asset.
    asset: String,
    /// Key of the network.
    network: String,
    /// Where to, with checksum.
    address: String,
    /// What the payee receives, in whole units.
    #[schema(example = "0.5")]
    amount: String,
    /// What it costs on top.
    #[schema(example = "0.001")]
    fee: String,
    /// Both together, which is set aside.
    #[schema(example = "0.501")]
    total: String,
    /// Whether the address is one of ours, so that it is paid at once and without fee.
    internal: bool,
    /// Whether our staff will look at it first.
    needs_approval: bool,
}

/// Shows what a withdrawal would cost, without asking for it
#[utoipa::path(post, path = "/v1/withdrawals/preview", tag = "withdrawals", operation_id = "preview_withdrawal",
    security(("bearer" = [])), request_body = PreviewWithdrawal,
    responses(
        (status = 200, description = "What it would be.", body = WithdrawalPreview),
        (status = 409, description = "Withdrawals of the asset rest.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Json(body): Json<PreviewWithdrawal>,
) -> Result<Json<WithdrawalPreview>, Problem> {
    let asked = Asked {
        asset: body.asset,
        network: body.network,
        address: body.address,
        amount: body.amount,
    };
    let quote = request::quote(&payment.context, caller.user, &asked).await?;
    Ok(Json(WithdrawalPreview {
        amount: quote.asset.text(quote.amount),
        fee: quote.asset.text(quote.fee),
        total: quote.asset.text(quote.total),
        asset: quote.asset.symbol,
        network: quote.network.key,
        address: quote.payee.to_string(),
        internal: quote.internal.is_some(),
        needs_approval: quote.needs_approval,
    }))
}
