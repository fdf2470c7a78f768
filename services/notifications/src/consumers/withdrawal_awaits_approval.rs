//! A withdrawal waits for staff: the person is told why nothing moves.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::WithdrawalAwaitsApproval;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: WithdrawalAwaitsApproval,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [
        ("amount", shown(&event.value)),
        ("address", event.address),
        ("network", event.network),
    ];
    deliveries
        .accept(tx, mail(meta, event.user, "withdrawal_awaits_approval", params))
        .await
}
