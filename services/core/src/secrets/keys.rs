use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::random;

const NONCE_BYTES: usize = 12;

/// Why keys could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The root key is too short to be one.
    #[error("the root key of core must have at least 32 characters, it has {0}")]
    TooShort(usize),
    /// A sealed value was not sealed with this key for this owner.
    #[error("opening a sealed value")]
    Unsealable,
}

/// The keys derived from the root key, one for each use.
pub struct Keys {
    digest: Zeroizing<[u8; 32]>,
    seal: Aes256Gcm,
}

impl Keys {
    /// Derives the keys from a root key of at least 32 characters.
    pub fn try_new(root: &SecretString) -> Result<Self, KeyError> {
        let root = root.expose_secret().as_bytes();
        if root.len() < 32 {
            return Err(KeyError::TooShort(root.len()));
        }
        let digest = Zeroizing::new(mac(root, &[b"ferrex core: hashes of codes and tokens"]));
        let sealing = Zeroizing::new(mac(root, &[b"ferrex core: sealing of authenticator secrets"]));
        let seal = Aes256Gcm::new_from_slice(sealing.as_slice()).expect("the key has 32 bytes");
        Ok(Self { digest, seal })
    }

    /// The keyed hash that stands for a secret in the database. `purpose` keeps equal texts of different use apart.
    pub fn hash(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        let length = u64::try_from(purpose.len())
            .expect("a length fits in 64 bits")
            .to_be_bytes();
        mac(self.digest.as_slice(), &[&length, purpose.as_bytes(), secret]).to_vec()
    }

    /// Seals a secret for one owner, whose bytes must be given again to open it.
    pub fn seal(&self, owner: &[u8], secret: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random();
        let sealed = self
            .seal
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: secret,
                    aad: owner,
                },
            )
            .expect("a short secret can always be sealed");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what was sealed for `owner`.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(KeyError::Unsealable)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| KeyError::Unsealable)?;
        self.seal
            .decrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: body,
                    aad: owner,
                },
            )
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::try_new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap()
    }

    #[test]
    fn a_short_root_key_is_refused() {
        assert!(matches!(
            Keys::try_new(&SecretString::from("short")),
            Err(KeyError::TooShort(5))
        ));
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_only() {
        let sealed = keys().seal(b"anna", b"secret");
        assert_eq!(keys().open(b"anna", &sealed).unwrap().as_slice(), b"secret");
        assert!(keys().open(b"bert", &sealed).is_err());
        assert!(keys().open(b"anna", &sealed[..8]).is_err());
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(keys().open(b"anna", &altered).is_err());
    }

    #[test]
    fn hashes_depend_on_purpose_and_root() {
        let other = Keys::try_new(&SecretString::from("another root key of thirty-two bytes")).unwrap();
        assert_eq!(keys().hash("a", b"x"), keys().hash("a", b"x"));
        assert_ne!(keys().hash("a", b"x"), keys().hash("b", b"x"));
        assert_ne!(keys().hash("a", b"bx"), keys().hash("ab", b"x"));
        assert_ne!(keys().hash("a", b"x"), other.hash("a", b"x"));
    }
}
