//! `ferrex check`: the settings are understood and every secret they name can be read.

use std::process::ExitCode;

use crate::commands::migrate::SCHEMAS;
use crate::settings::{Settings, Transport};

/// Says what was checked; the first thing that is wrong is the error.
pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    for spec in SCHEMAS {
        if spec.schema == ferrex_bus::EMBEDDED.schema && settings.bus.transport == Transport::Kafka {
            continue;
        }
        settings.database.password(spec.role)?;
    }
    println!(
        "settings are understood, {} database passwords can be read",
        SCHEMAS.len()
    );
    Ok(ExitCode::SUCCESS)
}
