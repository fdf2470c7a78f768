//! Secrets, each made once and kept in a file that only its owner reads.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ferrex_time::SystemClock;
use ferrex_web::{TokenSigner, generate_key_pem};
use secrecy::{ExposeSecret as _, SecretString};

/// Files with one random secret each, besides the database passwords.
const RANDOM: [&str; 4] = [
    "core_root_key",
    "admin_root_key",
    "keystore_passphrase",
    "engine_token",
];

/// The directory of secrets.
#[derive(Clone, Debug)]
pub struct Secrets {
    dir: PathBuf,
}

impl Secrets {
    /// Makes what is missing under `dir`.
    pub fn ensure(dir: &Path, roles: &[&str], postgres_port: u16) -> anyhow::Result<Self> {
        let secrets = Self { dir: dir.to_owned() };
        std::fs::create_dir_all(secrets.database_dir())
            .with_context(|| format!("creating {}", dir.display()))?;
        for name in RANDOM {
            secrets.ensure_file(name, random)?;
        }
        secrets.ensure_file("owner_password", random)?;
        secrets.ensure_file("identity_secret", standard_webhooks)?;
        for role in roles.iter().copied().chain(["bus"]) {
            secrets.ensure_file(&format!("database/ferrex_{role}"), random)?;
        }
        secrets.ensure_file("token_signing.pem", generate_key_pem)?;
        let signing = SecretString::from(secrets.read("token_signing.pem")?);
        let public = TokenSigner::from_pem(&signing, SystemClock::shared())?
            .public_key()
            .to_pem();
        std::fs::write(secrets.path("token_verifying.pem"), public)?;
        // The port may be another one at each start.
        let password = secrets.read("owner_password")?;
        let url = format!("postgres://ferrex_owner:{password}@127.0.0.1:{postgres_port}/ferrex");
        secrets.write("owner_url", &url)?;
        Ok(secrets)
    }

    /// Where the database passwords are.
    pub fn database_dir(&self) -> PathBuf {
        self.dir.join("database")
    }

    /// The file of a secret.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A secret.
    pub fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path(name);
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }

    fn ensure_file(&self, name: &str, make: impl FnOnce() -> SecretString) -> anyhow::Result<()> {
        if self.path(name).exists() {
            Ok(())
        } else {
            self.write(name, make().expose_secret())
        }
    }

    fn write(&self, name: &str, secret: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(secret.as_bytes())
            .with_context(|| format!("writing {}", path.display()))
    }
}

fn random() -> SecretString {
    SecretString::from(hex::encode(rand::random::<[u8; 32]>()))
}

/// In the form of Standard Webhooks.
fn standard_webhooks() -> SecretString {
    SecretString::from(format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>())))
}
