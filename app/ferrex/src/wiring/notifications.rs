//! The notifications role.

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Notifications).await?;
    let dependencies = ferrex_notifications::Dependencies {
        db,
        bus,
        clock: process.clock.clone(),
        readiness: process.readiness.clone(),
    };
    let service = ferrex_notifications::build(process.settings.notifications.clone(), dependencies).await?;
    process.run(Role::Notifications, |shutdown| service.run(shutdown));
    Ok(())
}
