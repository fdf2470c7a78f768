//! Staff froze or unfroze a person: the person is told that, and not why, since the reason may concern others.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::core::UserFreezeChanged;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::mail;
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: UserFreezeChanged,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let template = if event.frozen {
        "account_frozen"
    } else {
        "account_unfrozen"
    };
    deliveries.accept(tx, mail(meta, event.user, template, [])).await
}
