//! `ferrex ledger audit|snapshots`: recomputes the invariants from the journal, with code that the engine does not use, and reads
//! what a restart would.

use std::process::ExitCode;

use anyhow::Context as _;
use ferrex_engine::snapshots;
use secrecy::ExposeSecret as _;

use super::connect;
use crate::role::Role;
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
    Ok(exit(report.is_clean()))
}

/// Prints the engine's snapshots, the newest first, each read as a restart reads it; fails when one of them is bad.
pub async fn snapshots(settings: &Settings) -> anyhow::Result<ExitCode> {
    let db = connect(settings, Role::Engine).await?;
    let found = snapshots::inspect(&db, settings.engine.shard).await?;
    for snapshot in &found {
        let (row, bytes) = (snapshot.journal_id, snapshot.bytes);
        match &snapshot.verdict {
            Ok(state) => println!("row {row}: {bytes} bytes, good, state {}", hex::encode(state)),
            Err(refused) => println!("row {row}: {bytes} bytes, not used: {refused}"),
        }
    }
    let good = found.iter().find(|snapshot| snapshot.verdict.is_ok());
    let first = good.map_or(1, |snapshot| snapshot.journal_id + 1);
    println!(
        "{} snapshots; a restart replays the journal from row {first} on",
        found.len()
    );
    Ok(exit(found.iter().all(|snapshot| snapshot.verdict.is_ok())))
}

fn exit(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
