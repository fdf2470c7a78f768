//! `ferrex run`: roles in this process until SIGTERM or Ctrl-C.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use ferrex_runtime::Shutdown;
use ferrex_web::{Surface, operations_router, public_router, serve};
use tokio::net::TcpListener;

use crate::role::Role;
use crate::settings::Settings;
use crate::wiring::Process;

/// How long the process takes to stop at most.
const DRAIN: Duration = Duration::from_secs(10);

/// The listener for people.
pub const PUBLIC: Surface = Surface {
    name: "public",
    title: "Ferrex",
    description: "Accounts, verification, deposits, transfers, withdrawals, trading and statements. Amounts are decimal strings of whole \
                  units. Log in with `POST /v1/sessions` and use the access token as a bearer token.",
};

/// The listener for staff.
pub const ADMIN: Surface = Surface {
    name: "admin",
    title: "Ferrex administration",
    description: "What staff do: reviews, approvals, freezing, the registry of networks and assets. Every action is audited.",
};

/// Runs the roles, all of them when none is named.
pub async fn run(settings: Settings, roles: &[Role]) -> anyhow::Result<ExitCode> {
    let roles = if roles.is_empty() { &Role::ALL[..] } else { roles };
    let telemetry = ferrex_telemetry::init(&settings.telemetry, "ferrex")?;
    let shutdown = Shutdown::on_signals()?;
    let listen = settings.listen.clone();
    let web = settings.web.clone();

    let mut process = Process::new(settings, shutdown.clone());
    // The operations port answers first, so that a process that waits for something can say for what.
    let metrics = telemetry.metrics();
    let operations = operations_router(process.readiness.clone(), move || metrics.render());
    let bind = async |address, name: &str| {
        TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address} ({name})"))
    };
    let listener = bind(listen.operations, "operations").await?;
    shutdown.spawn(serve(listener, operations, web.connections_max, shutdown.token()));

    process.add_all(roles).await?;
    if !process.public.is_empty() {
        let parts = std::mem::take(&mut process.public);
        let router = public_router(&PUBLIC, &web, process.tokens.clone(), parts)?;
        let listener = bind(listen.public, "public").await?;
        shutdown.spawn(serve(listener, router, web.connections_max, shutdown.token()));
    }
    if !process.admin.is_empty() {
        let parts = std::mem::take(&mut process.admin);
        let router = public_router(&ADMIN, &web, None, parts)?;
        let listener = bind(listen.admin, "admin").await?;
        shutdown.spawn(serve(listener, router, web.connections_max, shutdown.token()));
    }
    process.listens();
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    tracing::info!(roles = names.join(","), operations = %listen.operations, "running");

    shutdown.requested().await;
    let drained = shutdown.drain(DRAIN).await;
    if let Err(still_running) = drained {
        tracing::warn!(%still_running, "stopped without waiting any longer");
    }
    let failed = process.has_failed();
    if tokio::time::timeout(Duration::from_secs(2), process.close())
        .await
        .is_err()
    {
        tracing::warn!("the bus did not close in time");
    }
    tokio::task::spawn_blocking(move || telemetry.shutdown()).await?;
    Ok(if failed || drained.is_err() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
