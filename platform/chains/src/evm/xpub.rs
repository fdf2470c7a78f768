use std::str::FromStr;

use alloy_primitives::Address;
use bip32::{ChildNumber, PublicKey, XPub};
use ferrex_fault::{Classify, Kind};

use super::EvmAddress;

/// The extended public key of an account, m/44'/60'/0', from which deposit addresses and the hot wallet's address
/// come without any private key.
///
/// The account level is hardened on purpose: whoever learns this key and one private key below it can compute all
/// others below it, but none of another account.
#[derive(Clone, Debug)]
pub struct AccountXpub {
    deposits: XPub,
    hot: EvmAddress,
    text: String,
}

/// Why a text is not such a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XpubError {
    /// It is no extended public key in base58 with a valid checksum.
    #[error("this is not an extended public key (xpub…)")]
    Malformed,
    /// It belongs to another level of the tree.
    #[error("the key must be of a hardened account (depth 3), this is of depth {depth}")]
    NotAnAccount {
        /// The key's level.
        depth: u8,
    },
    /// The index belongs to hardened keys.
    #[error("the index {0} of an address must be below 2^31")]
    IndexTooLarge(u32),
    /// The derivation gave no key, which happens once in 2^127; take the next index.
    #[error("there is no key at this index")]
    NoKey,
}

impl Classify for XpubError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "chains.xpub.malformed",
            Self::NotAnAccount { .. } => "chains.xpub.not_an_account",
            Self::IndexTooLarge(_) => "chains.xpub.index_too_large",
            Self::NoKey => "chains.xpub.no_key",
        }
    }
}

const HARDENED: u32 = 1 << 31;
const DEPOSITS: u32 = 0;
const HOUSE: u32 = 1;

impl AccountXpub {
    /// Reads an `xpub…` text of account level.
    pub fn parse(text: &str) -> Result<Self, XpubError> {
        if !text.starts_with("xpub") {
            return Err(XpubError::Malformed);
        }
        let account = XPub::from_str(text).map_err(|_| XpubError::Malformed)?;
        let attributes = account.attrs();
        if attributes.depth != 3 || !attributes.child_number.is_hardened() {
            return Err(XpubError::NotAnAccount {
                depth: attributes.depth,
            });
        }
        let deposits = child(&account, DEPOSITS)?;
        let hot = child(&child(&account, HOUSE)?, 0)?;
        Ok(Self {
            deposits,
            hot: address_of(&hot),
            text: text.to_owned(),
        })
    }

    /// The address of deposits number `index`, /0/index. Indexes lie below 2^31.
    pub fn deposit_address(&self, index: u32) -> Result<EvmAddress, XpubError> {
        child(&self.deposits, index).map(|key| address_of(&key))
    }

    /// The address that pays withdrawals, /1/0.
    pub fn hot_wallet(&self) -> EvmAddress {
        self.hot
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The address of a public key in its compressed or full form (33 or 65 bytes); `None` when it is no point of the
/// curve.
pub fn address_of_public_key(sec1: &[u8]) -> Option<EvmAddress> {
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(sec1).ok()?;
    Some(EvmAddress::from_alloy(Address::from_public_key(&key)))
}

fn child(parent: &XPub, index: u32) -> Result<XPub, XpubError> {
    if index >= HARDENED {
        return Err(XpubError::IndexTooLarge(index));
    }
    parent
        .derive_child(ChildNumber(index))
        .map_err(|_| XpubError::NoKey)
}

fn address_of(key: &XPub) -> EvmAddress {
    address_of_public_key(&key.public_key().to_bytes()).expect("a derived key is a point of the curve")
}

#[cfg(test)]
mod tests {
    use bip32::{DerivationPath, Prefix, XPrv};

    use super::*;

    /// The phrase of the development chains, whose first addresses are widely known.
    fn development_seed() -> [u8; 64] {
        let phrase = "test test test test test test test test test test test junk";
        bip39::Mnemonic::from_str(phrase).unwrap().to_seed("")
    }

    fn private(path: &str) -> XPrv {
        XPrv::derive_from_path(&development_seed(), &DerivationPath::from_str(path).unwrap()).unwrap()
    }

    fn account() -> AccountXpub {
        AccountXpub::parse(&private("m/44'/60'/0'").public_key().to_string(Prefix::XPUB)).unwrap()
    }

    #[test]
    fn i25_known_addresses_come_from_the_known_phrase() {
        let expected = [
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        ];
        for (index, address) in (0u32..).zip(expected) {
            assert_eq!(account().deposit_address(index).unwrap().to_string(), address);
        }
    }

    #[test]
    fn i25_public_and_private_derivation_agree() {
        let account = account();
        for index in [0, 1, 2, 1_000, HARDENED - 1] {
            let key = private(&format!("m/44'/60'/0'/0/{index}"));
            let address = address_of_public_key(&key.public_key().to_bytes()).unwrap();
            assert_eq!(account.deposit_address(index).unwrap(), address);
        }
        let hot = private("m/44'/60'/0'/1/0");
        assert_eq!(
            account.hot_wallet(),
            address_of_public_key(&hot.public_key().to_bytes()).unwrap()
        );
    }

    #[test]
    fn a77_keys_of_other_levels_and_private_keys_are_refused() {
        let text = |path: &str| private(path).public_key().to_string(Prefix::XPUB);
        assert_eq!(
            AccountXpub::parse(&text("m/44'/60'")).unwrap_err(),
            XpubError::NotAnAccount { depth: 2 }
        );
        assert_eq!(
            AccountXpub::parse(&text("m/44'/60'/0'/0")).unwrap_err(),
            XpubError::NotAnAccount { depth: 4 }
        );
        assert_eq!(
            AccountXpub::parse(&text("m/44'/60'/0")).unwrap_err(),
            XpubError::NotAnAccount { depth: 3 }
        );
        let private = private("m/44'/60'/0'").to_string(Prefix::XPRV);
        assert_eq!(AccountXpub::parse(&private).unwrap_err(), XpubError::Malformed);
        let mut broken = text("m/44'/60'/0'");
        broken.pop();
        assert_eq!(AccountXpub::parse(&broken).unwrap_err(), XpubError::Malformed);
    }

    #[test]
    fn a_hardened_index_is_refused() {
        assert_eq!(
            account().deposit_address(HARDENED).unwrap_err(),
            XpubError::IndexTooLarge(HARDENED)
        );
    }
}
