use axum::extract::State;
use ferrex_time::Timestamp;
use ferrex_web::{Caller, Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::connection;
use crate::Payment;
use crate::address::store::{self, DepositAddress};

/// A person's deposit addresses.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DepositAddresses {
    /// All of them, newest first. Each is watched for ever.
    items: Vec<DepositAddressView>,
}

/// A deposit address.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DepositAddressView {
    /// Key of the network.
    #[schema(example = "ethereum")]
    network: String,
    /// The address, with checksum.
    #[schema(example = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")]
    address: String,
    /// Whether it is the one to pay to. Payments to former ones are credited as well.
    current: bool,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An address as its owner sees it.
pub(super) fn view(address: DepositAddress) -> DepositAddressView {
    DepositAddressView {
        network: address.network,
        address: address.address.to_string(),
        current: address.current,
        created_at: address.created_at,
    }
}

/// Lists your deposit addresses
#[utoipa::path(get, path = "/v1/deposit-addresses", tag = "deposits", operation_id = "list_deposit_addresses",
    security(("bearer" = [])),
    responses((status = 200, description = "Your addresses.", body = DepositAddresses)))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
) -> Result<Json<DepositAddresses>, Problem> {
    let addresses = store::list(&mut *connection(&payment).await?, caller.user).await?;
    Ok(Json(DepositAddresses {
        items: addresses.into_iter().map(view).collect(),
    }))
}
