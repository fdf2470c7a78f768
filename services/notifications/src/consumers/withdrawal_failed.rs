//! A withdrawal was given up: the person is told why.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::WithdrawalFailed;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: WithdrawalFailed,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [("amount", shown(&event.value)), ("reason", event.reason)];
    deliveries
        .accept(tx, mail(meta, event.user, "withdrawal_failed", params))
        .await
}
