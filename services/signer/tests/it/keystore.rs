use std::io::Write;
use std::sync::{Arc, Mutex};

use ferrex_settings::SecretFile;
use ferrex_signer::keystore::{self, KeystoreError, Phrase};
use ferrex_signer::{Config, Error, Keys, Signer};
use ferrex_time::SystemClock;

use crate::world::{self, PHRASE, connect, database, intent, keys, payment};

/// Settings with a keystore and passphrase of their own, neither made yet but the passphrase.
pub fn with_keystore() -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let passphrase = directory.path().join("passphrase");
    std::fs::write(&passphrase, "an honest passphrase\n").unwrap();
    let config = Config {
        keystore: directory.path().join("keystore.json"),
        passphrase: SecretFile::new(passphrase),
        create_if_missing: true,
        ..world::config()
    };
    (directory, config)
}

fn refusal(error: Error) -> KeystoreError {
    match error {
        Error::Keystore { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn a_wallet_is_made_once_and_found_again() {
    let (_directory, mut config) = with_keystore();
    let made = keystore::open(&config).unwrap();
    config.create_if_missing = false;
    let found = keystore::open(&config).unwrap();
    assert_eq!(made.hot_wallet(), found.hot_wallet());
    assert!(matches!(
        refusal(keystore::create(&config).unwrap_err()),
        KeystoreError::Exists
    ));
    let phrase = keystore::reveal(&config).unwrap();
    assert_eq!(phrase.words().split(' ').count(), 24);

    let (_other, second) = with_keystore();
    let restored = keystore::restore(&second, Phrase::parse(&phrase.words()).unwrap()).unwrap();
    assert_eq!(restored.hot_wallet(), made.hot_wallet());
}

#[test]
fn a_wallet_is_not_made_unless_the_settings_say_so() {
    let (_directory, mut config) = with_keystore();
    config.create_if_missing = false;
    assert!(matches!(
        refusal(keystore::open(&config).unwrap_err()),
        KeystoreError::Missing
    ));
    assert!(!config.keystore.exists());
}

#[test]
fn f040_a_wrong_passphrase_is_named_as_such() {
    let (directory, config) = with_keystore();
    keystore::open(&config).unwrap();
    let passphrase = directory.path().join("passphrase");
    std::fs::write(&passphrase, "another passphrase\n").unwrap();
    let error = keystore::open(&config).unwrap_err();
    assert!(error.to_string().contains("keystore.json"), "{error}");
    assert!(matches!(refusal(error), KeystoreError::WrongPassphrase));
    std::fs::write(&passphrase, "short").unwrap();
    assert!(matches!(
        refusal(keystore::open(&config).unwrap_err()),
        KeystoreError::PassphraseTooShort { .. }
    ));
    std::fs::remove_file(&passphrase).unwrap();
    assert!(matches!(
        refusal(keystore::open(&config).unwrap_err()),
        KeystoreError::Passphrase(_)
    ));
}

#[tokio::test]
async fn another_keystore_than_the_schemas_does_not_start() {
    let db = database().await;
    let other =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    let with = async |words: &str| {
        let keys = Keys::derive(&Phrase::parse(words).unwrap()).unwrap();
        Signer::try_new(
            &world::config(),
            keys,
            connect(&db.url).await,
            SystemClock::shared(),
        )
        .unwrap()
    };
    with(PHRASE).await.claim().await.unwrap();
    with(PHRASE).await.claim().await.unwrap();
    let error = with(other).await.claim().await.unwrap_err();
    assert!(
        matches!(error, Error::OtherKeystore { stored, .. } if stored == keys().hot_wallet()),
        "{error}"
    );
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const ALONE: &str = "FERREX_TEST_SIGNER_LOGS";

/// In a process of its own, since what is logged is decided once a process.
#[test]
fn i30_no_secret_is_ever_logged() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keystore::child_logs_when_told", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The child's part. Does nothing in an ordinary test run.
#[tokio::test]
async fn child_logs_when_told() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let (_directory, config) = with_keystore();
    let keys = keystore::open(&config).unwrap();
    let phrase = keystore::reveal(&config).unwrap();
    let db = database().await;
    let signer = Signer::try_new(&config, keys, connect(&db.url).await, SystemClock::shared()).unwrap();
    signer.claim().await.unwrap();
    signer.sign_withdrawal(&payment(intent())).await.unwrap();
    tracing::info!(?signer, ?config, ?phrase, "printed by mistake");
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("signed") && text.contains("back both up now"),
        "{text}"
    );
    assert!(!text.contains("an honest passphrase"));
    let words = phrase.words();
    let pairs: Vec<&str> = words.split(' ').collect();
    assert!(pairs.windows(2).all(|pair| !text.contains(&pair.join(" "))));
}
