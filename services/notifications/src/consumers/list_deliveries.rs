//! Staff look at the delivery log.

use ferrex_contracts::notifications::{DeliveryPage, ListDeliveries};
use ferrex_fault::Fault;
use ferrex_ids::DeliveryId;

use crate::Error;
use crate::delivery::{Deliveries, store};

pub(super) async fn handle(deliveries: &Deliveries, request: ListDeliveries) -> Result<DeliveryPage, Fault> {
    let before: Option<DeliveryId> = request
        .cursor
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::Cursor)?;
    let limit = i64::from(request.limit.clamp(1, 100));
    let pool = deliveries.db().pool();
    // One more than asked for tells whether there is another page.
    let mut items = store::list(pool, request.user, request.state.as_deref(), before, limit + 1).await?;
    let more = items.len() > usize::from(request.limit.clamp(1, 100));
    if more {
        items.pop();
    }
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|last| last.delivery.to_string());
    Ok(DeliveryPage { items, next_cursor })
}
