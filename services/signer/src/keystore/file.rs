use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeystoreError, Phrase};

/// What guessing a passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    /// 64 MiB, three passes: a fraction of a second once at start.
    fn default() -> Self {
        Self {
            memory_kib: 64 << 10,
            passes: 3,
        }
    }
}

impl Cost {
    /// What is accepted in a file: a changed one must neither weaken the next file nor take the machine's memory.
    fn is_sane(self) -> bool {
        (8 << 10..=1 << 20).contains(&self.memory_kib) && (1..=20).contains(&self.passes)
    }
}

const VERSION: u32 = 1;
const SIZE_MAX: u64 = 64 << 10;

/// All of it but `sealed` is authenticated with it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    key_derivation: String,
    cost: Cost,
    salt: String,
    cipher: String,
    nonce: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keystore {
    header: Header,
    sealed: String,
}

impl Header {
    fn authenticated(&self) -> Result<Vec<u8>, KeystoreError> {
        serde_json::to_vec(self).map_err(|_| KeystoreError::Malformed)
    }

    fn cipher(&self, passphrase: &SecretString) -> Result<Aes256Gcm, KeystoreError> {
        let salt = STANDARD
            .decode(&self.salt)
            .map_err(|_| KeystoreError::Malformed)?;
        let params = Params::new(self.cost.memory_kib, self.cost.passes, 1, Some(32))
            .map_err(|_| KeystoreError::Malformed)?;
        let mut key = Zeroizing::new([0u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose_secret().as_bytes(), &salt, &mut *key)
            .map_err(|_| KeystoreError::Malformed)?;
        Aes256Gcm::new_from_slice(&*key).map_err(|_| KeystoreError::Malformed)
    }

    fn nonce(&self) -> Result<[u8; 12], KeystoreError> {
        let nonce = STANDARD
            .decode(&self.nonce)
            .map_err(|_| KeystoreError::Malformed)?;
        nonce.try_into().map_err(|_| KeystoreError::Malformed)
    }
}

/// Writes a keystore where none is, readable by its owner only. It is complete and durable once its name exists.
pub(super) fn write(
    path: &Path,
    passphrase: &SecretString,
    phrase: &Phrase,
    cost: Cost,
) -> Result<(), KeystoreError> {
    if path.exists() {
        return Err(KeystoreError::Exists);
    }
    let (mut salt, mut nonce, mut name) = ([0u8; 16], [0u8; 12], [0u8; 8]);
    for bytes in [&mut salt[..], &mut nonce[..], &mut name[..]] {
        rand::rngs::SysRng
            .try_fill_bytes(bytes)
            .map_err(|_| KeystoreError::Random)?;
    }
    let header = Header {
        version: VERSION,
        key_derivation: "argon2id".to_owned(),
        cost,
        salt: STANDARD.encode(salt),
        cipher: "aes-256-gcm".to_owned(),
        nonce: STANDARD.encode(nonce),
    };
    let entropy = phrase.entropy();
    let (authenticated, cipher) = (header.authenticated()?, header.cipher(passphrase)?);
    let sealed = cipher
        .encrypt(
            &nonce.into(),
            Payload {
                msg: &entropy,
                aad: &authenticated,
            },
        )
        .map_err(|_| KeystoreError::Malformed)?;
    let keystore = Keystore {
        header,
        sealed: STANDARD.encode(sealed),
    };
    let text = serde_json::to_vec_pretty(&keystore).map_err(|_| KeystoreError::Malformed)?;

    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let draft = directory.join(format!(".keystore-{:016x}", u64::from_be_bytes(name)));
    let written = write_draft(&draft, &text).and_then(|()| fs::hard_link(&draft, path));
    // The draft has done its work, or none; what is left of it must not stay.
    let _ = fs::remove_file(&draft);
    match written {
        // A link, unlike a rename, fails where something is already.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(KeystoreError::Exists),
        written => written?,
    }
    File::open(directory)?.sync_all()?;
    Ok(())
}

fn write_draft(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Reads and opens a keystore.
pub(super) fn read(path: &Path, passphrase: &SecretString) -> Result<Phrase, KeystoreError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => KeystoreError::Missing,
        _ => KeystoreError::Io(error),
    })?;
    let mode = file.metadata()?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeystoreError::Open { mode });
    }
    let mut text = Vec::new();
    file.take(SIZE_MAX).read_to_end(&mut text)?;
    let keystore: Keystore = serde_json::from_slice(&text).map_err(|_| KeystoreError::Malformed)?;
    let header = &keystore.header;
    let known =
        header.version == VERSION && header.key_derivation == "argon2id" && header.cipher == "aes-256-gcm";
    if !known || !header.cost.is_sane() {
        return Err(KeystoreError::Malformed);
    }
    let sealed = STANDARD
        .decode(&keystore.sealed)
        .map_err(|_| KeystoreError::Malformed)?;
    let (authenticated, nonce) = (header.authenticated()?, header.nonce()?);
    let entropy = header
        .cipher(passphrase)?
        .decrypt(
            &nonce.into(),
            Payload {
                msg: &sealed,
                aad: &authenticated,
            },
        )
        .map_err(|_| KeystoreError::WrongPassphrase)?;
    Phrase::from_entropy(&Zeroizing::new(entropy)).map_err(|_| KeystoreError::Malformed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 8 << 10,
        passes: 1,
    };

    fn passphrase(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn written() -> (tempfile::TempDir, std::path::PathBuf, Phrase) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deeper/keystore.json");
        let phrase = Phrase::random().unwrap();
        write(&path, &passphrase("correct horse battery"), &phrase, CHEAP).unwrap();
        (directory, path, phrase)
    }

    #[test]
    fn a_keystore_gives_back_its_phrase_and_nothing_in_clear() {
        let (_directory, path, phrase) = written();
        let back = read(&path, &passphrase("correct horse battery")).unwrap();
        assert_eq!(*back.words(), *phrase.words());
        let text = fs::read_to_string(&path).unwrap();
        let words = phrase.words();
        let words: Vec<&str> = words.split(' ').collect();
        assert!(words.windows(2).all(|pair| !text.contains(&pair.join(" "))));
        assert!(!text.contains(&STANDARD.encode(&*phrase.entropy())));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "a draft was left"
        );
    }

    #[test]
    fn a_wrong_passphrase_and_a_changed_file_are_refused_with_the_reason() {
        let (_directory, path, _) = written();
        let wrong = read(&path, &passphrase("correct horse batterz")).unwrap_err();
        assert!(matches!(wrong, KeystoreError::WrongPassphrase), "{wrong}");
        let text = fs::read_to_string(&path).unwrap();
        let cheaper = text.replace("\"passes\": 1", "\"passes\": 2");
        assert_ne!(text, cheaper);
        fs::write(&path, cheaper).unwrap();
        let changed = read(&path, &passphrase("correct horse battery")).unwrap_err();
        assert!(matches!(changed, KeystoreError::WrongPassphrase), "{changed}");
        for text in [
            "",
            "{}",
            &text.replace("argon2id", "md5"),
            &text.replace("8192", "4294967295"),
        ] {
            fs::write(&path, text).unwrap();
            let malformed = read(&path, &passphrase("correct horse battery")).unwrap_err();
            assert!(matches!(malformed, KeystoreError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_keystore_is_never_overwritten() {
        let (_directory, path, phrase) = written();
        let other = Phrase::random().unwrap();
        let refused = write(&path, &passphrase("correct horse battery"), &other, CHEAP).unwrap_err();
        assert!(matches!(refused, KeystoreError::Exists), "{refused}");
        let back = read(&path, &passphrase("correct horse battery")).unwrap();
        assert_eq!(*back.words(), *phrase.words());
    }

    #[test]
    fn a_keystore_that_others_can_read_is_refused() {
        let (_directory, path, _) = written();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = read(&path, &passphrase("correct horse battery")).unwrap_err();
        assert!(
            matches!(refused, KeystoreError::Open { mode: 0o644 }),
            "{refused}"
        );
    }

    #[test]
    fn a_missing_keystore_says_how_to_make_one() {
        let directory = tempfile::tempdir().unwrap();
        let error = read(
            &directory.path().join("none"),
            &passphrase("correct horse battery"),
        )
        .unwrap_err();
        assert!(error.to_string().contains("ferrex signer init"), "{error}");
    }
}
