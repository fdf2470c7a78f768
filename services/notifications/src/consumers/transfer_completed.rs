//! A transfer was completed: the receiver is told.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::payment::TransferCompleted;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::{mail, shown};
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: TransferCompleted,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let params = [
        ("amount", shown(&event.value)),
        ("from_user_name", event.from_username),
        ("note", event.note.unwrap_or_default()),
    ];
    deliveries
        .accept(tx, mail(meta, event.to, "transfer_received", params))
        .await
}
