//! `ferrex demo`: the main story, or a trading day, played against a running system as clients play it.
//!
//! [`story`] and [`trade`] read like transcripts; [`staff`] and [`person`] are the two kinds of client, [`api`] what they have in
//! common, [`world`] the chain and the mailbox. At the market a person is a [`floor::Trader`], who may let a script quote
//! ([`quotes`]); [`accounts`] explains each person's money at the end of the day.

mod accounts;
mod api;
mod floor;
mod person;
mod quotes;
mod staff;
mod story;
mod trade;
mod world;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Demo, DemoStory};

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
    let world = world::World::new(surroundings)?;
    match arguments.story {
        DemoStory::Main => story::play(world).await?,
        DemoStory::Trade => trade::play(world).await?,
    }
    Ok(ExitCode::SUCCESS)
}
