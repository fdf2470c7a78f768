//! A withdrawal was settled: the person is told.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::WithdrawalSettled;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, part, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: WithdrawalSettled,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [
        ("amount", shown(&event.value)),
        ("fee", part(&event.value, event.fee)),
        ("address", event.address),
        ("network", event.network),
        ("transaction", event.transaction.unwrap_or_default()),
    ];
    deliveries
        .accept(tx, mail(meta, event.user, "withdrawal_settled", params))
        .await
}
