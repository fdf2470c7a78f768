//! The admin role.

use std::time::Duration;

use ferrex_admin::Service;
use ferrex_runtime::CancellationToken;

use super::{Parts, Process};
use crate::role::Role;

/// How long to wait before the database is asked again.
const AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Admin).await?;
    let deps = ferrex_admin::Deps {
        db,
        bus,
        clock: process.clock.clone(),
    };
    let service = ferrex_admin::build(process.settings.admin.clone(), deps)
        .await
        .map_err(super::refused)?;
    process.admin.push(service.routes());
    let announcing = service.clone();
    process.run_endless(async move |shutdown| announce(announcing, shutdown).await);
    process.run_endless(async move |shutdown| service.run(shutdown).await);
    Ok(())
}

/// Prints the one-time link for the first staff account, which is for the operator's eyes and not for the log.
async fn announce(service: Service, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match service.first_link().await {
            Ok(Some(link)) => return println!("set-up link: {link}"),
            Ok(None) => return println!("staff accounts exist"),
            Err(_) => tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(AGAIN) => {}
            },
        }
    }
}
