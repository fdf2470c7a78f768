//! The encrypted keystore: one file with the entropy of a BIP-39 phrase.
//!
//! The passphrase becomes a key by Argon2id, the entropy is sealed with AES-256-GCM, and the file's own header is
//! authenticated with it. A keystore is made once and never written again.

mod file;
mod phrase;

use std::path::Path;

use ferrex_settings::SecretError;
use secrecy::SecretString;

pub use file::Cost;
pub use phrase::{Phrase, PhraseError};

use crate::{Config, Error, Keys};

/// Why a keystore cannot be made or opened. No variant holds anything of its content.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// There is none.
    #[error("it does not exist; make a wallet with `ferrex signer init`, or restore one from its phrase")]
    Missing,
    /// There is one already; it is never overwritten.
    #[error("it exists already and is never overwritten")]
    Exists,
    /// Others than its owner can read or write it.
    #[error("its mode is {mode:o}; only its owner may have access: chmod 600")]
    Open {
        /// The file's permission bits.
        mode: u32,
    },
    /// The file system refused.
    #[error("reading or writing the file")]
    Io(#[from] std::io::Error),
    /// It is not a keystore of a known version.
    #[error("it is not a keystore of this program")]
    Malformed,
    /// The passphrase is wrong, or the file was changed.
    #[error("the passphrase is wrong, or the file was changed")]
    WrongPassphrase,
    /// The passphrase cannot be read.
    #[error("reading the passphrase")]
    Passphrase(#[from] SecretError),
    /// The passphrase is too short to protect anything.
    #[error("the passphrase has {got} characters, at least {least} are needed")]
    PassphraseTooShort {
        /// Characters it has.
        got: usize,
        /// Characters it needs.
        least: usize,
    },
    /// The machine gave no random numbers.
    #[error("the machine gives no random numbers")]
    Random,
    /// The phrase gives no keys.
    #[error("deriving the keys")]
    Keys(#[from] crate::keys::NoKeys),
}

const PASSPHRASE_LEAST: usize = 12;

/// A keystore that was just made, for the operator to see.
#[derive(Debug)]
pub struct Created {
    /// The wallet's keys.
    pub keys: Keys,
    /// The phrase that restores it. Shown once, to be written on paper.
    pub phrase: Phrase,
}

/// Makes a new wallet; the work of `ferrex signer init`.
pub fn create(config: &Config) -> Result<Created, Error> {
    store(config, Phrase::random().map_err(at(&config.keystore))?)
}

/// Makes the keystore of a wallet that exists, from its phrase.
pub fn restore(config: &Config, phrase: Phrase) -> Result<Keys, Error> {
    store(config, phrase).map(|created| created.keys)
}

/// Opens the keystore, or makes one when the settings allow that and there is none.
pub fn open(config: &Config) -> Result<Keys, Error> {
    let passphrase = passphrase(config)?;
    let opened = match file::read(&config.keystore, &passphrase) {
        Err(KeystoreError::Missing) if config.create_if_missing => match create(config) {
            Ok(created) => {
                tracing::warn!(
                    keystore = %config.keystore.display(),
                    hot_wallet = %created.keys.hot_wallet(),
                    "made a new wallet: whoever loses this file or its passphrase loses the money; back both up now"
                );
                return Ok(created.keys);
            }
            // Another process was faster.
            Err(Error::Keystore {
                source: KeystoreError::Exists,
                ..
            }) => file::read(&config.keystore, &passphrase),
            Err(error) => return Err(error),
        },
        opened => opened,
    };
    let phrase = opened.map_err(at(&config.keystore))?;
    Keys::derive(&phrase).map_err(|error| at(&config.keystore)(error.into()))
}

/// The phrase in the keystore, for an operator who makes a backup.
pub fn reveal(config: &Config) -> Result<Phrase, Error> {
    file::read(&config.keystore, &passphrase(config)?).map_err(at(&config.keystore))
}

fn store(config: &Config, phrase: Phrase) -> Result<Created, Error> {
    let passphrase = passphrase(config)?;
    let keys = Keys::derive(&phrase).map_err(|error| at(&config.keystore)(error.into()))?;
    file::write(&config.keystore, &passphrase, &phrase, Cost::default()).map_err(at(&config.keystore))?;
    Ok(Created { keys, phrase })
}

fn passphrase(config: &Config) -> Result<SecretString, Error> {
    use secrecy::ExposeSecret;
    let path = config.passphrase.path();
    let passphrase = config.passphrase.read().map_err(|error| at(path)(error.into()))?;
    let got = passphrase.expose_secret().chars().count();
    if got < PASSPHRASE_LEAST {
        return Err(at(path)(KeystoreError::PassphraseTooShort {
            got,
            least: PASSPHRASE_LEAST,
        }));
    }
    Ok(passphrase)
}

fn at(path: &Path) -> impl Fn(KeystoreError) -> Error {
    let path = path.to_owned();
    move |source| Error::Keystore {
        path: path.clone(),
        source,
    }
}
