use std::fmt;

use bip32::{ChildNumber, Prefix, XPrv};
use ferrex_chains::evm::{AccountXpub, EvmAddress};
use k256::ecdsa::SigningKey;
use zeroize::Zeroizing;

use crate::keystore::Phrase;

/// The wallet's keys. The only private key that is kept in memory is the one that pays; it is overwritten when dropped,
/// and nothing prints it.
pub struct Keys {
    hot: SigningKey,
    account: AccountXpub,
}

/// The derivation met one of the points that give no key, which happens once in 2^127.
#[derive(Debug, thiserror::Error)]
#[error("no keys can be derived from this phrase")]
pub struct NoKeys;

const HARDENED: u32 = 1 << 31;

impl Keys {
    /// Derives m/44'/60'/0' (BIP-32, BIP-44) from a phrase (BIP-39, without an extra passphrase), and the paying key
    /// /1/0 below it.
    pub fn derive(phrase: &Phrase) -> Result<Self, NoKeys> {
        let seed = phrase.seed();
        let child = |parent: &XPrv, index: u32| parent.derive_child(ChildNumber(index)).map_err(|_| NoKeys);
        let root = XPrv::new(&*seed).map_err(|_| NoKeys)?;
        let account = child(&child(&child(&root, 44 + HARDENED)?, 60 + HARDENED)?, HARDENED)?;
        let hot = child(&child(&account, 1)?, 0)?;
        let bytes = Zeroizing::new(hot.to_bytes());
        let hot = SigningKey::from_slice(&*bytes).map_err(|_| NoKeys)?;
        let account = account.public_key().to_string(Prefix::XPUB);
        let account = AccountXpub::parse(&account).map_err(|_| NoKeys)?;
        Ok(Self { hot, account })
    }

    /// The public side.
    pub fn account(&self) -> &AccountXpub {
        &self.account
    }

    /// The address that pays.
    pub fn hot_wallet(&self) -> EvmAddress {
        self.account.hot_wallet()
    }

    pub(crate) fn hot_key(&self) -> &SigningKey {
        &self.hot
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("hot_wallet", &self.hot_wallet())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i25_the_known_phrase_gives_the_known_keys() {
        let phrase = Phrase::parse("test test test test test test test test test test test junk").unwrap();
        let keys = Keys::derive(&phrase).unwrap();
        assert_eq!(
            keys.account().deposit_address(0).unwrap().to_string(),
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
        );
        let point = keys.hot_key().verifying_key().to_encoded_point(true);
        assert_eq!(
            ferrex_chains::evm::address_of_public_key(point.as_bytes()),
            Some(keys.hot_wallet())
        );
        assert_ne!(keys.hot_wallet(), keys.account().deposit_address(0).unwrap());
    }

    #[test]
    fn i30_keys_print_no_secret() {
        let phrase = Phrase::parse("test test test test test test test test test test test junk").unwrap();
        let keys = Keys::derive(&phrase).unwrap();
        let text = format!("{keys:?} {phrase:?}");
        let secret = ferrex_chains::evm::to_hex(&keys.hot_key().to_bytes());
        assert!(!text.contains(&secret[2..]) && !text.contains("junk"), "{text}");
    }
}
