//! The signer role.

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Signer).await?;
    let dependencies = ferrex_signer::Dependencies {
        db,
        bus,
        clock: process.clock.clone(),
        readiness: process.readiness.clone(),
    };
    let service = ferrex_signer::build(process.settings.signer.clone(), dependencies).await?;
    process.run(Role::Signer, |shutdown| service.run(shutdown));
    Ok(())
}
