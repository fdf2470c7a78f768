//! The core role.

use anyhow::Context as _;
use ferrex_web::TokenSigner;

use super::{Parts, Process};
use crate::role::Role;

pub(super) async fn add(process: &mut Process) -> anyhow::Result<()> {
    let Parts { db, bus } = process.parts(Role::Core).await?;
    let key = process
        .settings
        .tokens
        .signing_key
        .as_ref()
        .context("tokens.signing_key names no file")?
        .read()?;
    let deps = ferrex_core::Deps {
        db,
        bus,
        clock: process.clock.clone(),
        tokens: TokenSigner::from_pem(&key, process.clock.clone())?,
        verifier: process.token_verifier()?,
    };
    let service = ferrex_core::build(process.settings.core.clone(), deps)
        .await
        .map_err(super::refused)?;
    process.public.push(service.public());
    process.run_endless(async move |shutdown| service.run(shutdown).await);
    Ok(())
}
