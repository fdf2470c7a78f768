//! A credited deposit was taken back: the person is told what is owed.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::DepositReversed;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, owed, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: DepositReversed,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [
        ("amount", shown(&event.value)),
        ("owed", owed(&event.value, event.owed)),
    ];
    deliveries
        .accept(tx, mail(meta, event.user, "deposit_reversed", params))
        .await
}
