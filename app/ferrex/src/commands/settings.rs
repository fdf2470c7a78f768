//! `ferrex settings`: the JSON Schema of everything that can be set.

use std::process::ExitCode;

use crate::settings::Settings;

/// Prints it.
pub fn run() -> anyhow::Result<ExitCode> {
    println!(
        "{}",
        serde_json::to_string_pretty(&ferrex_settings::schema::<Settings>())?
    );
    Ok(ExitCode::SUCCESS)
}
