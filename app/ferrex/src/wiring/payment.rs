//! The payment role.

use ferrex_engine_client::{EngineClient, RemoteConfig};

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Payment).await?;
    let deps = ferrex_payment::Deps {
        db,
        bus,
        engine: engine(process)?,
        clock: process.clock.clone(),
        verifier: process.token_verifier()?,
        readiness: process.readiness.clone(),
    };
    let service = ferrex_payment::build(process.settings.payment.clone(), deps)
        .await
        .map_err(super::refused)?;
    process.public.push(service.public());
    process.run_endless(async move |shutdown| service.run(shutdown).await);
    Ok(())
}

/// The engine of this process, else the one that the settings name.
fn engine(process: &Process) -> anyhow::Result<EngineClient> {
    if let Some(engine) = &process.engine {
        return Ok(engine.clone());
    }
    let settings = &process.settings.engine_client;
    anyhow::ensure!(
        !settings.urls.is_empty(),
        "engine_client.urls names no engine, and the role engine does not run in this process"
    );
    let token = settings
        .token_file
        .as_ref()
        .map(ferrex_settings::SecretFile::read)
        .transpose()?;
    let token = token.ok_or_else(|| anyhow::anyhow!("engine_client.token_file names no file"))?;
    Ok(EngineClient::remote(RemoteConfig::new(
        settings.urls.clone(),
        token,
    ))?)
}
