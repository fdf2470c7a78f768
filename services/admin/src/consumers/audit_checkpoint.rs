//! At each tick of the ledger's audit the end of the audit log is noted outside this schema (A93): in the log of the
//! process and on the bus. A restored older copy of the database, or a chain cut off together with its head, verifies by
//! itself; beside a later checkpoint it does not.

use ferrex_bus::{Outgoing, Router};
use ferrex_contracts::admin::AuditCheckpoint;
use ferrex_contracts::cron::CronTick;
use ferrex_ids::MessageId;

use crate::{Admin, audit};

/// The tick that checkpoints follow.
const JOB: &str = "ledger_audit";

pub(super) fn register(router: Router, admin: &Admin) -> Router {
    let admin = admin.clone();
    router.on_unordered_event::<CronTick, _>(move |_, tick, _| {
        let admin = admin.clone();
        Box::pin(async move {
            if tick.job != JOB {
                return Ok(());
            }
            let (sequence, hash) = audit::head(&admin).await?;
            let checkpoint = AuditCheckpoint {
                sequence: sequence.unsigned_abs(),
                hash: hex::encode(hash),
            };
            tracing::info!(
                sequence = checkpoint.sequence,
                hash = checkpoint.hash,
                "audit log checkpoint"
            );
            let now = admin.clock.now();
            let id = MessageId::new_at(admin.clock.unix_ms());
            let message = Outgoing::event("admin", id, "audit", now, &checkpoint);
            admin.bus.publish(vec![message]).await?;
            Ok(())
        })
    })
}
