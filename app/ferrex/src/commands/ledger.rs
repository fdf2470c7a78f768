//! `ferrex ledger audit`: recomputes the invariants from the journal, with code that the engine does not use.

use std::process::ExitCode;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use crate::settings::Settings;

/// Prints the report; fails when an invariant is broken.
pub async fn audit(settings: &Settings) -> anyhow::Result<ExitCode> {
    let admin_url = settings
        .database
        .admin_url
        .as_ref()
        .context("database.admin_url is not set")?
        .read()?;
    let report = ferrex_engine::audit::run(admin_url.expose_secret()).await?;
    println!("{report}");
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
