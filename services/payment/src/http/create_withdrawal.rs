use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Caller, IdempotencyKey, Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{WithdrawalView, own_withdrawal};
use crate::Payment;
use crate::withdrawal::request::{self, Asked};

const CODE_CHARS_MAX: usize = 64;

/// A withdrawal that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateWithdrawal {
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
    /// A code of your authenticator, or a recovery code. Good for this very withdrawal and no other.
    #[schema(example = "123456", min_length = 1, max_length = 64)]
    second_factor: String,
}

/// Asks for a withdrawal
///
/// The amount and the fee are set aside at once. Ask with the same `Idempotency-Key` again when you saw no answer.
#[utoipa::path(post, path = "/v1/withdrawals", tag = "withdrawals", operation_id = "create_withdrawal",
    security(("bearer" = [])), params(IdempotencyKey), request_body = CreateWithdrawal,
    responses(
        (status = 201, description = "The money is set aside.", body = WithdrawalView),
        (status = 202, description = "Accepted; whether there is enough is not known yet. Look again.", body = WithdrawalView),
        (status = 403, description = "The code is wrong, your identity is not verified, withdrawals rest after a change of \
         credentials, or your money was stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not enough available, withdrawals of the asset rest, or the key was used for another \
         request.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateWithdrawal>,
) -> Result<(StatusCode, Json<WithdrawalView>), Problem> {
    let code = body.second_factor;
    if !(1..=CODE_CHARS_MAX).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("1 to {CODE_CHARS_MAX} visible ASCII characters");
        return Err(Problem::field(
            "payment.second_factor.malformed",
            "second_factor",
            message,
        ));
    }
    let asked = Asked {
        asset: body.asset,
        network: body.network,
        address: body.address,
        amount: body.amount,
    };
    let id = request::create(&payment, caller.user, &key, &asked, &code).await?;
    let view = own_withdrawal(&payment, caller.user, id).await?;
    let status = if view.is_undecided() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(view)))
}
