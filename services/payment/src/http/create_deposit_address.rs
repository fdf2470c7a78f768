use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Caller, Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::list_deposit_addresses::{DepositAddressView, view};
use crate::{Payment, address};

/// Which address is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateDepositAddress {
    /// Key of the network.
    #[schema(example = "ethereum", max_length = 20)]
    network: String,
    /// Whether a new one is wanted although there is one; given once the current one was used. The former stays
    /// watched.
    #[serde(default)]
    renew: bool,
}

/// Gives your deposit address on a network
///
/// The same one each time, until a new one is asked for.
#[utoipa::path(post, path = "/v1/deposit-addresses", tag = "deposits", operation_id = "create_deposit_address",
    security(("bearer" = [])), request_body = CreateDepositAddress,
    responses(
        (status = 200, description = "The address you have.", body = DepositAddressView),
        (status = 201, description = "A new address.", body = DepositAddressView),
        (status = 409, description = "The network rests, or the current address was never used.", body = Problem,
         content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    Json(body): Json<CreateDepositAddress>,
) -> Result<(StatusCode, Json<DepositAddressView>), Problem> {
    let (address, is_new) = address::flow::give(&payment.context, caller.user, &body.network, body.renew)
        .await
        .map_err(|fault| {
            // The network is a field here, not the thing that was asked for.
            if fault.code == "payment.network.not_found" {
                Problem::field(
                    "payment.network.unknown",
                    "network",
                    "there is no network of this key",
                )
            } else {
                fault.into()
            }
        })?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(view(address))))
}
