//! The webhooks role.

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Webhooks).await?;
    let dependencies = ferrex_webhooks::Dependencies {
        db,
        bus,
        clock: process.clock.clone(),
        readiness: process.readiness.clone(),
    };
    let service = ferrex_webhooks::build(process.settings.webhooks.clone(), dependencies)?;
    process.public.push(ferrex_webhooks::routes(&service));
    process.run(Role::Webhooks, |shutdown| service.run(shutdown));
    Ok(())
}
