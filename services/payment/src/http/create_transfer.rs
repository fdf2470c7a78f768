use axum::extract::State;
use axum::http::StatusCode;
use ferrex_web::{Caller, IdempotencyKey, Json, Problem};
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{Assets, TransferView, connection, transfer};
use crate::Payment;
use crate::transfer::request::{self, Asked};
use crate::transfer::{Error, store};

/// A transfer that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTransfer {
    /// User name or e-mail address of the receiver.
    #[schema(example = "ben", min_length = 1, max_length = 254)]
    to: String,
    /// Symbol of the asset.
    #[schema(example = "ETH", max_length = 12)]
    asset: String,
    /// How much, in whole units.
    #[schema(example = "0.25")]
    amount: String,
    /// A few words for the receiver.
    #[schema(max_length = 140, example = "for lunch")]
    #[serde(default)]
    note: Option<String>,
}

/// Pays another person, at once
#[utoipa::path(post, path = "/v1/transfers", tag = "transfers", operation_id = "create_transfer",
    security(("bearer" = [])), params(IdempotencyKey), request_body = CreateTransfer,
    responses(
        (status = 201, description = "Paid.", body = TransferView),
        (status = 202, description = "Accepted; the outcome is not known yet. Look again.", body = TransferView),
        (status = 403, description = "Your money was stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not enough available, the receiver takes no money, or the key was used for another \
         request.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateTransfer>,
) -> Result<(StatusCode, Json<TransferView>), Problem> {
    let asked = Asked {
        to: body.to,
        asset: body.asset,
        amount: body.amount,
        note: body.note,
    };
    let id = request::create(&payment, caller.user, &key, &asked).await?;
    let mut open = connection(&payment).await?;
    let row = store::find(&mut open, id).await?.ok_or(Error::NotFound)?;
    let status = if row.status == "completed" {
        StatusCode::CREATED
    } else {
        StatusCode::ACCEPTED
    };
    let assets = Assets::read(&mut open).await?;
    Ok((status, Json(transfer(row, caller.user, &assets)?)))
}
