use std::fmt;

use bip39::Mnemonic;
use rand::TryRng;
use zeroize::Zeroizing;

use super::KeystoreError;

/// A BIP-39 phrase. It is overwritten when dropped, and printing it by mistake shows nothing.
pub struct Phrase(Mnemonic);

/// A text is no phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a phrase has 12 to 24 English words of the list, and the last one fits the others")]
pub struct PhraseError;

const ENTROPY: usize = 32;

impl Phrase {
    /// 24 words from the machine's random numbers.
    pub(super) fn random() -> Result<Self, KeystoreError> {
        let mut entropy = Zeroizing::new([0u8; ENTROPY]);
        rand::rngs::SysRng
            .try_fill_bytes(&mut *entropy)
            .map_err(|_| KeystoreError::Random)?;
        Self::from_entropy(&*entropy).map_err(|_| KeystoreError::Random)
    }

    /// Reads the words of a phrase.
    pub fn parse(words: &str) -> Result<Self, PhraseError> {
        Mnemonic::parse(words).map(Self).map_err(|_| PhraseError)
    }

    /// The words, for the operator's eyes only.
    pub fn words(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string())
    }

    pub(super) fn from_entropy(entropy: &[u8]) -> Result<Self, PhraseError> {
        Mnemonic::from_entropy(entropy).map(Self).map_err(|_| PhraseError)
    }

    pub(super) fn entropy(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_entropy())
    }

    pub(crate) fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed(""))
    }
}

impl fmt::Debug for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phrase(…)")
    }
}

impl Drop for Phrase {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of BIP-39 for an empty passphrase.
    #[test]
    fn the_vectors_of_bip_39_give_their_seeds() {
        let cases = [
            (
                "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
                [0u8; 16].to_vec(),
                "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc19a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4",
            ),
            (
                "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                 abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art",
                [0u8; 32].to_vec(),
                "408b285c123836004f4b8842c89324c1f01382450c0d439af345ba7fc49acf705489c6fc77dbd4e3dc1dd8cc6bc9f043db8ada1e243c4a0eafb290d399480840",
            ),
        ];
        for (words, entropy, seed) in cases {
            let phrase = Phrase::parse(words).unwrap();
            assert_eq!(*phrase.entropy(), entropy);
            assert_eq!(ferrex_chains::evm::to_hex(&*phrase.seed())[2..], *seed);
        }
    }

    #[test]
    fn a_phrase_with_a_wrong_word_is_refused() {
        let wrong =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon";
        assert_eq!(Phrase::parse(wrong).unwrap_err(), PhraseError);
    }

    #[test]
    fn two_random_phrases_differ() {
        let (one, other) = (Phrase::random().unwrap(), Phrase::random().unwrap());
        assert_eq!(one.words().split(' ').count(), 24);
        assert_ne!(*one.words(), *other.words());
    }
}
