//! `ferrex demo`: the main story, played against a running system as clients play it.
//!
//! [`story`] reads like a transcript; [`staff`] and [`person`] are the two kinds of client, [`api`] what they have in common,
//! [`world`] the chain and the mailbox.

mod api;
mod person;
mod staff;
mod story;
mod world;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::Demo;

/// Plays it; fails at the first thing that is not as it should be.
pub async fn run(arguments: Demo) -> anyhow::Result<ExitCode> {
    let file = &arguments.surroundings;
    let text = std::fs::read_to_string(file).with_context(|| {
        format!(
            "reading {} (is the system running? start it with `make run`)",
            file.display()
        )
    })?;
    let surroundings = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
    story::play(world::World::new(surroundings)?).await?;
    Ok(ExitCode::SUCCESS)
}
