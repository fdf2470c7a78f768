//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::role::Role;

/// Ferrex: a self-hosted crypto wallet and exchange.
#[derive(Debug, Parser)]
#[command(name = "ferrex", version, about)]
pub struct Cli {
    /// The settings file (TOML); the environment (FERREX__SECTION__KEY) comes on top of it.
    #[arg(long, short, global = true, env = "FERREX_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run roles until SIGTERM or Ctrl-C.
    Run {
        /// The roles, separated by commas; all of them when not given.
        #[arg(long, value_delimiter = ',')]
        role: Vec<Role>,
    },
    /// Create or bring up to date schemas, login roles and topics.
    Migrate,
    /// Read the settings and say whether the roles could be composed from them, then exit.
    Check,
    /// Print an OpenAPI document.
    Openapi {
        /// Of which listener.
        listener: Listener,
    },
    /// Print the topics of the bus.
    Topics,
    /// Print the JSON Schema of the settings.
    Settings,
    /// The books.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Messages that could not be handled.
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// The keystore.
    #[command(subcommand)]
    Signer(SignerCommand),
    /// Ask the operations port of a running system whether it is ready; exit code 1 when it is not.
    Health,
    /// Play a story against a running system, as clients would.
    Demo(Demo),
}

/// One of the HTTP listeners that have a document.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Listener {
    /// For people and their programs.
    Public,
    /// For staff.
    Admin,
}

/// The books.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Recompute every invariant from the journal; exit code 1 when one is broken.
    Audit,
    /// Read the engine's snapshots as a restart would; exit code 1 when one of them is bad.
    Snapshots,
}

/// Messages that could not be handled.
#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List them, oldest first.
    List,
    /// Hand one back to its consumer, with what waits behind it.
    Redrive {
        /// Its id, as the list shows it.
        id: String,
    },
}

/// What the demo plays, and where it finds what it needs.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Which story.
    #[arg(value_enum, default_value = "main")]
    pub story: DemoStory,
    /// What `make run` wrote about the development surroundings (chain node, mail catcher, identity provider, staff).
    #[arg(long, default_value = ".data/surroundings.json", env = "FERREX_SURROUNDINGS")]
    pub surroundings: PathBuf,
}

/// What the demo plays.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DemoStory {
    /// From sign-up to a confirmed withdrawal.
    Main,
    /// A trading day, with the engine killed on the way where somebody does that.
    Trade,
}

/// The keystore.
#[derive(Debug, Subcommand)]
pub enum SignerCommand {
    /// Make a new wallet where the settings say; print its recovery phrase once.
    Init,
    /// Make the keystore from a recovery phrase, read from standard input.
    Restore,
    /// Print the recovery phrase of the keystore.
    Phrase,
}
