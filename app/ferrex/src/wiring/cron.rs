//! The cron role.

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Cron).await?;
    let dependencies = ferrex_cron::Dependencies {
        db,
        bus,
        clock: process.clock.clone(),
        readiness: process.readiness.clone(),
    };
    let service = ferrex_cron::build(process.settings.cron.clone(), dependencies)?;
    process.run(Role::Cron, |shutdown| service.run(shutdown));
    Ok(())
}
