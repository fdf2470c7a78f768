//! `ferrex signer init|restore|phrase`: the keystore, while the signer does not run.

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::Context as _;
use ferrex_signer::keystore::{self, Phrase};

use crate::cli::SignerCommand;
use crate::settings::Settings;

/// Makes or shows a keystore; an existing one is never overwritten.
pub fn run(settings: &Settings, command: &SignerCommand) -> anyhow::Result<ExitCode> {
    let config = &settings.signer;
    match command {
        SignerCommand::Init => {
            let created = keystore::create(config)?;
            println!(
                "keystore {} made; hot wallet {}",
                config.keystore.display(),
                created.keys.hot_wallet()
            );
            println!(
                "Write these words down and keep them offline. They are the money:\n{}",
                created.phrase.words().as_str()
            );
        }
        SignerCommand::Restore => {
            let mut words = String::new();
            std::io::stdin()
                .read_to_string(&mut words)
                .context("reading the phrase from standard input")?;
            let keys = keystore::restore(config, Phrase::parse(&words)?)?;
            println!(
                "keystore {} made; hot wallet {}",
                config.keystore.display(),
                keys.hot_wallet()
            );
        }
        SignerCommand::Phrase => println!("{}", keystore::reveal(config)?.words().as_str()),
    }
    Ok(ExitCode::SUCCESS)
}
