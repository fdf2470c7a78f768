use axum::extract::State;
use ferrex_fault::Fault;
use ferrex_ids::OrderId;
use ferrex_web::{Caller, FieldProblem, IdempotencyKey, Json, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create_order::CreateOrder;
use super::order_views::{OrderView, order};
use crate::Payment;
use crate::order::batch::{self, Item};
use crate::order::read::Change;
use crate::order::{Placed, batch::ITEMS_MAX};

/// What is wanted, in the order in which it is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateOrderBatch {
    /// Each is one of `place`, `cancel` and `amend`.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<BatchItem>,
}

/// One of three things.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BatchItem {
    /// A new order.
    Place(Box<CreateOrder>),
    /// The end of an order.
    Cancel(BatchCancel),
    /// A change of an order.
    Amend(BatchAmend),
}

/// The end of an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchCancel {
    /// The order.
    #[schema(value_type = String, pattern = "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    order: OrderId,
}

/// New values of an order; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchAmend {
    /// The order.
    #[schema(value_type = String, pattern = "^ord_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    order: OrderId,
    /// The new limit.
    #[serde(default)]
    price: Option<String>,
    /// The new quantity, what has traded included.
    #[serde(default)]
    quantity: Option<String>,
}

impl From<BatchItem> for Item {
    fn from(item: BatchItem) -> Self {
        match item {
            BatchItem::Place(order) => Self::Place(Box::new((*order).into())),
            BatchItem::Cancel(BatchCancel { order }) => Self::Cancel(order),
            BatchItem::Amend(BatchAmend {
                order,
                price,
                quantity,
            }) => Self::Amend(order, Change { price, quantity }),
        }
    }
}

/// What became of each item, in the same order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderBatchView {
    /// Each has either `order` or `problem`.
    items: Vec<BatchOutcome>,
}

/// What became of an item.
#[derive(Debug, Serialize, ToSchema)]
struct BatchOutcome {
    /// The order, if it was done.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderView>,
    /// Why not, if it was refused.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<BatchProblem>,
}

/// Why an item was refused, as it would have been refused alone.
#[derive(Debug, Serialize, ToSchema)]
struct BatchProblem {
    /// The HTTP status it would have had alone.
    #[schema(example = 409)]
    status: u16,
    /// What went wrong, stable over releases.
    #[schema(example = "payment.order.would_take")]
    code: String,
    /// One sentence.
    detail: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldProblem>,
}

fn outcome(result: Result<Placed, Fault>) -> BatchOutcome {
    match result {
        Ok(placed) => BatchOutcome {
            order: Some(order(placed.order, &placed.market).accepted()),
            problem: None,
        },
        Err(fault) => {
            let problem = Problem::from(fault);
            BatchOutcome {
                order: None,
                problem: Some(BatchProblem {
                    status: problem.status.as_u16(),
                    code: problem.code.into_owned(),
                    detail: problem.detail,
                    errors: problem.errors,
                }),
            }
        }
    }
}

/// Places, cancels and amends up to 50 orders
///
/// One after the other, each by itself: one that is refused leaves the others alone. A `client_order_id` must be free when
/// the batch comes, also if the batch cancels the order that has it. Without an answer, repeat the same call under the same
/// key: it goes on where it stopped.
#[utoipa::path(post, path = "/v1/orders/batch", tag = "trading", operation_id = "create_order_batch",
    security(("bearer" = [])), params(IdempotencyKey), request_body = CreateOrderBatch,
    responses(
        (status = 200, description = "What became of each item.", body = OrderBatchView),
        (status = 403, description = "Your money was stopped.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "You owe money, or the key was used for another request.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "The batch cannot be read, is empty or too long.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn handle(
    State(payment): State<Payment>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateOrderBatch>,
) -> Result<Json<OrderBatchView>, Problem> {
    const { assert!(ITEMS_MAX == 50, "the document says 50") };
    let items: Vec<Item> = body.items.into_iter().map(Into::into).collect();
    let outcomes = batch::run(&payment, caller.user, &key, &items).await?;
    Ok(Json(OrderBatchView {
        items: outcomes.into_iter().map(outcome).collect(),
    }))
}
