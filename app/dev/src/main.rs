//! `make run`: starts everything on this machine, says where to go, and stops exactly that on Ctrl-C.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use ferrex_dev::plan::{Carrier, Plan, Ports, Shape};
use ferrex_dev::system::System;
use ferrex_runtime::Shutdown;
use ferrex_testkit::servers::PostgresUse;

/// Starts Ferrex and its surroundings on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where data, secrets, settings and logs are.
    #[arg(long, default_value = ".data")]
    data: PathBuf,
    /// All roles in one process, or a process a role.
    #[arg(long, default_value = "one")]
    shape: ShapeArgument,
    /// What carries messages.
    #[arg(long, default_value = "embedded")]
    bus: BusArgument,
    /// Plays this demo on free ports and stops, instead of running until Ctrl-C; use a data directory of its own.
    #[arg(long)]
    play: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShapeArgument {
    One,
    Split,
    /// A process a role, and a second engine that stands by.
    Standby,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BusArgument {
    Embedded,
    Kafka,
}

/// How often it is looked whether a process ended by itself.
const LOOK: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ferrex-dev: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let shutdown = Shutdown::on_signals()?;
    std::fs::create_dir_all(&arguments.data)?;
    let data = arguments.data.canonicalize()?;
    let ferrex = std::env::current_exe()?.with_file_name("ferrex");
    let play = arguments.play;
    let plan = Plan {
        data,
        ferrex,
        shape: match arguments.shape {
            ShapeArgument::One => Shape::One,
            ShapeArgument::Split => Shape::Split,
            ShapeArgument::Standby => Shape::Standby,
        },
        carrier: match arguments.bus {
            BusArgument::Embedded => Carrier::Embedded,
            BusArgument::Kafka => Carrier::Kafka,
        },
        ports: if play.is_some() {
            Ports::free()
        } else {
            Ports::FIXED
        },
        postgres: PostgresUse::Development,
        keep: play.is_none(),
        brisk: false,
    };
    println!(
        "Starting PostgreSQL, a chain, a mail catcher, an identity provider and Ferrex in {} …",
        plan.data.display()
    );
    let mut system = tokio::select! {
        started = System::start(plan) => started.context("starting")?,
        () = shutdown.requested() => return Ok(ExitCode::FAILURE),
    };
    if let Some(story) = play {
        let story = [story.as_str()];
        let played = tokio::select! {
            played = system.play(&story, true) => played?.status.success(),
            () = shutdown.requested() => false,
        };
        system.stop().await?;
        return Ok(if played {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    announce(&system);
    let mut code = ExitCode::SUCCESS;
    while !shutdown.is_requested() {
        let asked = tokio::select! {
            () = shutdown.requested() => None,
            () = tokio::time::sleep(LOOK) => None,
            asked = system.asked() => Some(asked),
        };
        if let Some(asked) = asked {
            system.answer(asked).await;
        }
        let ended = system.ended();
        if !ended.is_empty() && !shutdown.is_requested() {
            eprintln!(
                "ferrex-dev: ended by itself: {}; its log is under {}/logs",
                ended.join(", "),
                system.plan().data.display()
            );
            code = ExitCode::FAILURE;
            break;
        }
    }
    println!("Stopping …");
    system.stop().await?;
    println!("Stopped. The data stays; the next start goes on with it.");
    Ok(code)
}

fn announce(system: &System) {
    let around = system.surroundings();
    println!();
    println!("  Ferrex runs.");
    println!(
        "  API for people     {0}/explorer   (document: {0}/openapi.json)",
        around.public
    );
    println!(
        "  API for staff      {0}/explorer   (document: {0}/openapi.json)",
        around.admin
    );
    println!("  Caught mail        {}", around.mail);
    println!(
        "  Operations         {}/readyz  /metrics",
        around.operations.first().map_or("", String::as_str)
    );
    println!(
        "  Chain              {}   (chain id {}, token TST at {})",
        around.chain_rpc,
        ferrex_dev::settings::CHAIN_ID,
        around.token
    );
    println!("  Identity provider  {}", around.identity);
    println!(
        "  Settings, logs     {0}/ferrex.toml  {0}/logs",
        system.plan().data.display()
    );
    match &around.setup_link {
        Some(link) => println!("\n  Set up the first staff account, once: {link}"),
        None => println!("\n  Staff accounts exist; log in at {}.", around.admin),
    }
    println!("\n  See it work: `make demo` in another terminal. Ctrl-C stops everything.\n");
}
