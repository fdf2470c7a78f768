//! The `ferrex` binary: any set of roles in one process, and the operator's commands.
//!
//! Settings are read by [`settings`]; [`wiring`] has one small function a role, which hands the role its dependencies;
//! [`commands`] has one file a subcommand.

mod cli;
mod commands;
mod role;
mod settings;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command, LedgerCommand, ParkedCommand};
use crate::settings::Settings;

// What is delivered has no planted bugs in it (docs/adr/0006).
const _: () = assert!(!ferrex_planted::ENABLED);

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error)),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("ferrex: {error:#}");
    ExitCode::FAILURE
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let settings = || ferrex_settings::load::<Settings>(cli.config.as_deref());
    match cli.command {
        Command::Run { role } => commands::run::run(settings()?, &role).await,
        Command::Migrate => commands::migrate::run(&settings()?).await,
        Command::Check => commands::check::run(&settings()?),
        Command::Openapi { listener } => commands::openapi::run(listener),
        Command::Topics => Ok(commands::topics::run()),
        Command::Settings => commands::settings::run(),
        Command::Ledger(LedgerCommand::Audit) => commands::ledger::audit(&settings()?).await,
        Command::Ledger(LedgerCommand::Snapshots) => commands::ledger::snapshots(&settings()?).await,
        Command::Parked(ParkedCommand::List) => commands::parked::list(&settings()?).await,
        Command::Parked(ParkedCommand::Redrive { id }) => commands::parked::redrive(&settings()?, &id).await,
        Command::Signer(command) => commands::signer::run(&settings()?, &command),
        Command::Health => commands::health::run(&settings()?).await,
        Command::Demo(demo) => commands::demo::run(demo).await,
    }
}
