//! A person's identity level was decided: the person is told, with the reason of a rejection.

use ferrex_bus::Delivery as Meta;
use ferrex_contracts::core::UserLevelChanged;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use super::mail;
use crate::delivery::Deliveries;

pub(super) async fn handle(
    deliveries: &Deliveries,
    meta: &Meta,
    event: UserLevelChanged,
    tx: &mut Tx,
) -> Result<(), Fault> {
    let level = ("level", event.level.to_string());
    let new = match event.rejected_because {
        Some(reason) => mail(
            meta,
            event.user,
            "verification_rejected",
            [level, ("reason", reason)],
        ),
        None if event.level > 0 => mail(meta, event.user, "verification_approved", [level]),
        // Taken back without a submission: staff tell the person themselves.
        None => return Ok(()),
    };
    deliveries.accept(tx, new).await
}
