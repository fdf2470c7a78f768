//! A withdrawal was asked for: the person is told, so that a theft does not stay unseen.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::WithdrawalRequested;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, part, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: WithdrawalRequested,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [
        ("amount", shown(&event.value)),
        ("fee", part(&event.value, event.fee)),
        ("address", event.address),
        ("network", event.network),
    ];
    deliveries
        .accept(tx, mail(meta, event.user, "withdrawal_requested", params))
        .await
}
