//! The engine role.

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Engine).await?;
    let dependencies = ferrex_engine::Dependencies {
        db,
        bus: Some(bus),
        clock: process.clock.clone(),
        readiness: process.readiness.clone(),
    };
    let service = ferrex_engine::build(process.settings.engine.clone(), dependencies).await?;
    process.engine = Some(service.client());
    process.run(Role::Engine, |shutdown| service.run(shutdown));
    Ok(())
}
