use axum::extract::State;
use ferrex_contracts::payment::{self, ListConcerns};
use ferrex_ids::UserId;
use ferrex_time::Timestamp;
use ferrex_web::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Admin;
use crate::sessions::Actor;

/// What kind of thing waits for people.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ConcernKind {
    /// The audit found a difference in the books: withdrawals of the asset rest until an audit is clean.
    BooksDiffer,
    /// Payments of a network rest.
    NetworkHalted,
    /// The wallet made a transaction that was not signed here.
    ForeignTransaction,
    /// A deposit is larger than the ledger can hold.
    DepositTooLarge,
    /// The books refuse a deposit, or its reversal.
    DepositRefused,
}

impl From<payment::ConcernKind> for ConcernKind {
    fn from(kind: payment::ConcernKind) -> Self {
        match kind {
            payment::ConcernKind::BooksDiffer => Self::BooksDiffer,
            payment::ConcernKind::NetworkHalted => Self::NetworkHalted,
            payment::ConcernKind::ForeignTransaction => Self::ForeignTransaction,
            payment::ConcernKind::DepositTooLarge => Self::DepositTooLarge,
            payment::ConcernKind::DepositRefused => Self::DepositRefused,
        }
    }
}

/// Something about money that waits for people.
#[derive(Serialize, ToSchema)]
pub(super) struct ConcernView {
    /// What it is.
    kind: ConcernKind,
    /// What it is about: an asset's symbol, a network's key, a deposit's id.
    subject: String,
    /// What was found.
    reason: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Key of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// Symbol of the asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    /// The whole amount in smallest units, which may be more than any balance can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// Hash of the transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
}

impl From<payment::Concern> for ConcernView {
    fn from(concern: payment::Concern) -> Self {
        Self {
            kind: concern.kind.into(),
            subject: concern.subject,
            reason: concern.reason,
            since: concern.since,
            network: concern.network,
            asset: concern.asset,
            amount: concern.amount,
            transaction: concern.transaction,
            user: concern.user,
        }
    }
}

/// What about money waits for people.
#[derive(Serialize, ToSchema)]
pub(super) struct ConcernsView {
    /// All of it, by kind.
    items: Vec<ConcernView>,
}

/// Lists what about money waits for people
#[utoipa::path(
    get, path = "/v1/concerns", operation_id = "list_concerns", tag = "concerns",
    security(("bearer" = [])),
    responses((status = 200, description = "Everything that waits.", body = ConcernsView))
)]
pub(super) async fn handle(State(admin): State<Admin>, _: Actor) -> Result<Json<ConcernsView>, Problem> {
    let found = admin.ask("", &ListConcerns {}).await?;
    let items = found.concerns.into_iter().map(ConcernView::from).collect();
    Ok(Json(ConcernsView { items }))
}
