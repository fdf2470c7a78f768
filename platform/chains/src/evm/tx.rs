use std::fmt;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{B256, Bytes, Signature, TxKind, U256};
use ferrex_fault::{Classify, Kind};
use k256::ecdsa::SigningKey;

use super::{EvmAddress, erc20};

/// A transaction with a fee market's fee (EIP-1559), not yet signed. It calls or pays somebody; it never makes a
/// contract and has no access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eip1559 {
    /// The chain it is good for.
    pub chain_id: u64,
    /// Its place among the payer's transactions.
    pub nonce: u64,
    /// The most gas it may use.
    pub gas_limit: u64,
    /// Highest price per gas, in wei.
    pub max_fee_per_gas: u128,
    /// Highest tip per gas, in wei, within the price.
    pub max_priority_fee_per_gas: u128,
    /// Who is paid or called.
    pub to: EvmAddress,
    /// How much of the chain's coin goes along, in wei.
    pub value: U256,
    /// The call's input; empty for a plain payment.
    pub input: Vec<u8>,
}

/// What a transaction pays, read from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The token's contract; none for the chain's own coin.
    pub contract: Option<EvmAddress>,
    /// Who is paid.
    pub payee: EvmAddress,
    /// How much, in smallest units.
    pub amount: U256,
}

impl Eip1559 {
    /// The same transaction made to pay `amount` of the coin, or of the token at `contract`, to `payee`.
    #[must_use]
    pub fn paying(mut self, contract: Option<EvmAddress>, payee: EvmAddress, amount: u128) -> Self {
        match contract {
            None => {
                self.to = payee;
                self.value = U256::from(amount);
                self.input = Vec::new();
            }
            Some(contract) => {
                self.to = contract;
                self.value = U256::ZERO;
                self.input = erc20::encode_transfer(payee, amount);
            }
        }
        self
    }

    /// What it pays: a plain payment of the coin or a token's `transfer` without coin; `None` for any other call.
    pub fn meaning(&self) -> Option<Meaning> {
        if self.input.is_empty() {
            return Some(Meaning {
                contract: None,
                payee: self.to,
                amount: self.value,
            });
        }
        let (payee, amount) = erc20::decode_transfer(&self.input)?;
        self.value.is_zero().then_some(Meaning {
            contract: Some(self.to),
            payee,
            amount,
        })
    }

    /// The most it can cost in fees, in wei; `None` above 128 bits.
    pub fn fee_max(&self) -> Option<u128> {
        self.max_fee_per_gas.checked_mul(u128::from(self.gas_limit))
    }

    /// Signs it. The signature's nonce is that of RFC 6979, its `s` is low; both come from the library.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedTx, DecodeError> {
        let unsigned = self.to_alloy();
        let (signature, recovery) = key
            .sign_prehash_recoverable(unsigned.signature_hash().as_slice())
            .map_err(|_| DecodeError::SignatureInvalid)?;
        let signature = Signature::from_signature_and_parity(signature, recovery.is_y_odd());
        let raw = TxEnvelope::from(unsigned.into_signed(signature)).encoded_2718();
        SignedTx::decode(&raw)
    }

    fn to_alloy(&self) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: self.max_fee_per_gas,
            max_priority_fee_per_gas: self.max_priority_fee_per_gas,
            to: TxKind::Call(self.to.alloy()),
            value: self.value,
            access_list: alloy_eips::eip2930::AccessList::default(),
            input: Bytes::copy_from_slice(&self.input),
        }
    }
}

/// Why bytes are not a signed transaction of the kind that [`Eip1559`] describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no transaction, or more than one.
    #[error("the bytes are not one transaction")]
    Malformed,
    /// It is of another type, makes a contract or has an access list.
    #[error("the transaction is not a plain one of EIP-1559")]
    OtherKind,
    /// No address belongs to the signature, or its `s` is high.
    #[error("the transaction's signature is not valid")]
    SignatureInvalid,
}

impl Classify for DecodeError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "chains.transaction.malformed",
            Self::OtherKind => "chains.transaction.other_kind",
            Self::SignatureInvalid => "chains.transaction.signature_invalid",
        }
    }
}

/// A signed transaction, decoded from its bytes and with its payer recovered from the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedTx {
    tx: Eip1559,
    from: EvmAddress,
    signature: Signature,
    raw: Vec<u8>,
    hash: B256,
}

impl SignedTx {
    /// Decodes bytes and recovers the payer.
    pub fn decode(raw: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = raw;
        let envelope = TxEnvelope::decode_2718(&mut rest).map_err(|_| DecodeError::Malformed)?;
        if !rest.is_empty() {
            return Err(DecodeError::Malformed);
        }
        let TxEnvelope::Eip1559(signed) = envelope else {
            return Err(DecodeError::OtherKind);
        };
        let from = signed
            .recover_signer()
            .map_err(|_| DecodeError::SignatureInvalid)?;
        let (hash, signature) = (*signed.hash(), *signed.signature());
        let tx = signed.strip_signature();
        let TxKind::Call(to) = tx.to else {
            return Err(DecodeError::OtherKind);
        };
        if !tx.access_list.0.is_empty() {
            return Err(DecodeError::OtherKind);
        }
        Ok(Self {
            tx: Eip1559 {
                chain_id: tx.chain_id,
                nonce: tx.nonce,
                gas_limit: tx.gas_limit,
                max_fee_per_gas: tx.max_fee_per_gas,
                max_priority_fee_per_gas: tx.max_priority_fee_per_gas,
                to: EvmAddress::from_alloy(to),
                value: tx.value,
                input: tx.input.to_vec(),
            },
            from: EvmAddress::from_alloy(from),
            signature,
            raw: raw.to_vec(),
            hash,
        })
    }

    /// What was signed.
    pub fn tx(&self) -> &Eip1559 {
        &self.tx
    }

    /// Who pays.
    pub fn from(&self) -> EvmAddress {
        self.from
    }

    /// The bytes to broadcast.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The hash under which the chain will know it.
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// The signature's `r` and `s`.
    pub fn signature(&self) -> (U256, U256) {
        (self.signature.r(), self.signature.s())
    }
}

impl fmt::Debug for SignedTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedTx")
            .field("hash", &self.hash)
            .field("from", &self.from)
            .field("tx", &self.tx)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use proptest::prelude::*;

    use super::super::inspect;
    use super::*;

    pub(super) fn key(last: u8) -> SigningKey {
        let mut bytes = [0x46; 32];
        bytes[31] = last;
        SigningKey::from_bytes(&bytes.into()).unwrap()
    }

    fn plain() -> Eip1559 {
        Eip1559 {
            chain_id: 31_337,
            nonce: 7,
            gas_limit: 21_000,
            max_fee_per_gas: 30_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: EvmAddress::from_bytes([0x35; 20]),
            value: U256::from(10u128.pow(18)),
            input: Vec::new(),
        }
    }

    /// The published example of EIP-155: the key 0x46…46 signs a legacy payment. It pins the curve, RFC 6979 and the
    /// recovery; our own transactions are of the later type, which the next test pins.
    #[test]
    fn a76_the_example_of_eip_155_is_signed_as_published() {
        let hash = hex!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
        let (signature, recovery) = key(0x46).sign_prehash_recoverable(&hash).unwrap();
        assert_eq!(
            hex::encode(signature.to_bytes()),
            "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276\
             67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
        );
        assert!(!recovery.is_y_odd());
        let from = SignedTx::decode(plain().sign(&key(0x46)).unwrap().raw())
            .unwrap()
            .from();
        assert_eq!(from.to_string(), "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
    }

    #[test]
    fn a_known_transaction_of_eip_1559_is_decoded() {
        // A payment of Ethereum mainnet, known by this hash there.
        let raw = hex!(
            "02f872018307910d808507204d2cb1827d0094388c818ca8b9251b393131c08a736a67ccb19297880320d04823e2701c80c0\
             01a0cf024f4815304df2867a1a74e9d2707b6abda0337d2d54a4438d453f4160f190a07ac0e6b3bc9395b5b9c8b9e6d77204a\
             236577a5b18467b9175c01de4faa208d9"
        );
        let signed = SignedTx::decode(&raw).unwrap();
        assert_eq!(
            hex::encode(signed.hash()),
            "86718885c4b4218c6af87d3d0b0d83e3cc465df2a05c048aa4db9f1a6f9de91f"
        );
        assert_eq!(
            signed.tx().to.to_string(),
            "0x388C818CA8B9251b393131C08a736A67ccB19297"
        );
        assert_eq!(
            signed.from().to_string(),
            "0x95222290DD7278Aa3Ddd389Cc1E1d165CC4BAfe5"
        );
    }

    prop_compose! {
        fn transactions()(
            chain_id in 1u64.., nonce in any::<u64>(), gas_limit in any::<u64>(), max_fee_per_gas in any::<u128>(),
            max_priority_fee_per_gas in any::<u128>(), payee in any::<[u8; 20]>(), amount in any::<u128>(),
            contract in any::<Option<[u8; 20]>>(),
        ) -> (Eip1559, Meaning) {
            let (payee, contract) = (EvmAddress::from_bytes(payee), contract.map(EvmAddress::from_bytes));
            let empty = Eip1559 {
                chain_id, nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas, to: EvmAddress::ZERO,
                value: U256::ZERO, input: Vec::new(),
            };
            let meaning = Meaning { contract, payee, amount: U256::from(amount) };
            (empty.paying(contract, payee, amount), meaning)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn i27_both_decoders_read_what_was_signed((tx, meaning) in transactions()) {
            let signed = tx.sign(&key(1)).unwrap();
            prop_assert_eq!(signed.tx(), &tx);
            prop_assert_eq!(tx.meaning(), Some(meaning));
            let second = inspect::inspect(signed.raw()).unwrap();
            prop_assert_eq!(second.hash, signed.hash());
            prop_assert_eq!(second.from, signed.from());
            prop_assert_eq!(second.chain_id, tx.chain_id);
            prop_assert_eq!(second.nonce, tx.nonce);
            prop_assert_eq!(second.gas_limit, tx.gas_limit);
            prop_assert_eq!(second.max_fee_per_gas, tx.max_fee_per_gas);
            prop_assert_eq!(second.max_priority_fee_per_gas, tx.max_priority_fee_per_gas);
            prop_assert_eq!((second.contract, second.payee), (meaning.contract, meaning.payee));
            prop_assert_eq!(U256::from(second.amount), meaning.amount);
        }

        #[test]
        fn i27_a_changed_byte_never_passes_both_decoders_as_the_same((tx, _) in transactions(), at in any::<usize>(), flip in 1u8..) {
            let signed = tx.sign(&key(1)).unwrap();
            let mut raw = signed.raw().to_vec();
            let at = at % raw.len();
            raw[at] ^= flip;
            if let Ok(second) = inspect::inspect(&raw) {
                prop_assert!(second.from != signed.from() || second.hash != signed.hash());
            }
            if let Ok(first) = SignedTx::decode(&raw) {
                prop_assert!(first.from() != signed.from());
            }
        }
    }
}
