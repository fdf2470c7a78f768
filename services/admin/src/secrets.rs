//! Everything random or keyed: tokens and their hashes, the sealing of authenticator secrets, the key of the audit chain.
//!
//! A copy of the database alone answers nothing: what stands there for a token is a keyed hash, authenticator secrets
//! are sealed, and nobody without the root key can write an audit chain that verifies.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;
const TOKEN_BYTES: usize = 32;

/// Why keys could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The root key is too short to be one.
    #[error("the root key of admin must have at least 32 characters, it has {0}")]
    TooShort(usize),
    /// A sealed value was not sealed with this key for this owner.
    #[error("opening a sealed value")]
    Unsealable,
}

/// Bytes from the operating system's generator.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    rand::random()
}

/// The keys derived from the root key, one for each use.
pub struct Keys {
    digest: Zeroizing<[u8; 32]>,
    audit: Zeroizing<[u8; 32]>,
    seal: Aes256Gcm,
}

impl Keys {
    /// Derives the keys from a root key of at least 32 characters.
    pub fn try_new(root: &SecretString) -> Result<Self, KeyError> {
        let root = root.expose_secret().as_bytes();
        if root.len() < 32 {
            return Err(KeyError::TooShort(root.len()));
        }
        let derive = |purpose: &[u8]| Zeroizing::new(mac(root, &[purpose]));
        let sealing = derive(b"ferrex admin: sealing of authenticator secrets");
        Ok(Self {
            digest: derive(b"ferrex admin: hashes of tokens"),
            audit: derive(b"ferrex admin: chain of the audit log"),
            seal: Aes256Gcm::new((&*sealing).into()),
        })
    }

    /// The keyed hash that stands for a secret in the database. `purpose` keeps equal texts of different use apart.
    pub fn hash(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        let length = u64::try_from(purpose.len())
            .expect("a length fits in 64 bits")
            .to_be_bytes();
        mac(self.digest.as_slice(), &[&length, purpose.as_bytes(), secret]).to_vec()
    }

    /// The hash that chains an audit entry.
    pub fn audit(&self, entry: &[u8]) -> Vec<u8> {
        mac(self.audit.as_slice(), &[entry]).to_vec()
    }

    /// Seals a secret for one owner, whose bytes must be given again to open it.
    pub fn seal(&self, owner: &[u8], secret: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random();
        let payload = Payload {
            msg: secret,
            aad: owner,
        };
        let sealed = self
            .seal
            .encrypt(&Nonce::from(nonce), payload)
            .expect("a short secret can always be sealed");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for `owner`.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(KeyError::Unsealable)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| KeyError::Unsealable)?;
        let payload = Payload {
            msg: body,
            aad: owner,
        };
        self.seal
            .decrypt(&Nonce::from(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| KeyError::Unsealable)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// What a token is good for; its first letters say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A logged-in session of staff.
    Session,
    /// A set-up link.
    Setup,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "fxa_",
            Self::Setup => "fxi_",
        }
    }
}

/// 256 random bits that only the client keeps; the database has the hash.
pub struct Token {
    kind: TokenKind,
    text: Zeroizing<String>,
}

impl Token {
    /// A new token.
    pub fn generate(kind: TokenKind) -> Self {
        let text = format!(
            "{}{}",
            kind.prefix(),
            URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>())
        );
        Self {
            kind,
            text: Zeroizing::new(text),
        }
    }

    /// Reads a token; `None` when it is none of this kind.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(kind.prefix())?).ok()?;
        (bytes.len() == TOKEN_BYTES).then(|| Self {
            kind,
            text: Zeroizing::new(text.to_owned()),
        })
    }

    /// The text that the client keeps.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What stands for it in the database.
    pub fn hash(&self, keys: &Keys) -> Vec<u8> {
        keys.hash(self.kind.prefix(), self.text.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(root: &str) -> Keys {
        Keys::try_new(&SecretString::from(root)).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_for_its_owner_and_key_only() {
        let ours = keys("0123456789abcdef0123456789abcdef");
        let sealed = ours.seal(b"anna", b"secret");
        assert_eq!(ours.open(b"anna", &sealed).unwrap().as_slice(), b"secret");
        assert!(ours.open(b"bert", &sealed).is_err());
        assert!(
            keys("another root key, quite as long as that")
                .open(b"anna", &sealed)
                .is_err()
        );
        assert!(ours.open(b"anna", &sealed[..10]).is_err());
    }

    #[test]
    fn tokens_are_told_apart_by_kind() {
        let token = Token::generate(TokenKind::Setup);
        assert!(Token::parse(TokenKind::Setup, token.reveal()).is_some());
        assert!(Token::parse(TokenKind::Session, token.reveal()).is_none());
        assert!(Token::parse(TokenKind::Setup, "fxi_AAAA").is_none());
        assert_eq!(format!("{token:?}"), "Token(Setup)");
    }

    #[test]
    fn a_short_root_key_is_refused() {
        assert!(matches!(
            Keys::try_new(&SecretString::from("short")),
            Err(KeyError::TooShort(5))
        ));
    }
}
