//! A withdrawal was cancelled: the person is told.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::WithdrawalCancelled;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: WithdrawalCancelled,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [("amount", shown(&event.value))];
    deliveries
        .accept(tx, mail(meta, event.user, "withdrawal_cancelled", params))
        .await
}
