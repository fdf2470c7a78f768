//! The second reading of signed bytes.
//!
//! What the signer lets out is decoded twice: by the library that built it ([`super::SignedTx`]) and here, by a reader
//! of RLP written for this one kind of transaction and sharing no code with the first. A fault in one of them then
//! cannot make a payment look like another. It is stricter than the chain: anything but a payment of the coin or a
//! token's `transfer` is refused.

use alloy_primitives::{B256, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

use super::{EvmAddress, address_of_public_key};

/// A payment as the bytes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The chain.
    pub chain_id: u64,
    /// Its place among the payer's transactions.
    pub nonce: u64,
    /// Highest tip per gas, in wei.
    pub max_priority_fee_per_gas: u128,
    /// Highest price per gas, in wei.
    pub max_fee_per_gas: u128,
    /// The most gas it may use.
    pub gas_limit: u64,
    /// The token's contract; none for the chain's own coin.
    pub contract: Option<EvmAddress>,
    /// Who is paid.
    pub payee: EvmAddress,
    /// How much, in smallest units.
    pub amount: u128,
    /// Who pays, recovered from the signature.
    pub from: EvmAddress,
    /// The transaction's hash.
    pub hash: B256,
}

/// Why the bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("second decoder: {0}")]
pub struct InspectError(&'static str);

/// Half of the order of secp256k1, above which a signature's `s` has a twin.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d,
    0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Reads the bytes of a signed payment.
pub fn inspect(raw: &[u8]) -> Result<Inspected, InspectError> {
    let (&kind, body) = raw.split_first().ok_or(InspectError("no bytes"))?;
    if kind != 2 {
        return Err(InspectError("not of type 2"));
    }
    let mut outer = Reader(body);
    let (list, payload) = outer.item()?;
    if !list || !outer.0.is_empty() {
        return Err(InspectError("not exactly one list"));
    }
    let mut fields = Reader(payload);
    let chain_id = narrow(fields.number()?)?;
    let nonce = narrow(fields.number()?)?;
    let max_priority_fee_per_gas = fields.number()?;
    let max_fee_per_gas = fields.number()?;
    let gas_limit = narrow(fields.number()?)?;
    let to: [u8; 20] = fields
        .bytes()?
        .try_into()
        .map_err(|_| InspectError("no payee of 20 bytes"))?;
    let value = fields.number()?;
    let input = fields.bytes()?;
    let (is_list, access_list) = fields.item()?;
    if !is_list || !access_list.is_empty() {
        return Err(InspectError("an access list"));
    }
    let unsigned = &payload[..payload.len() - fields.0.len()];
    let odd = match fields.number()? {
        0 => false,
        1 => true,
        _ => return Err(InspectError("a parity that is neither 0 nor 1")),
    };
    let (r, s) = (fields.word()?, fields.word()?);
    if !fields.0.is_empty() {
        return Err(InspectError("more fields than there are"));
    }
    if s > HALF_ORDER {
        return Err(InspectError("a high s"));
    }
    let to = EvmAddress::from_bytes(to);
    let (contract, payee, amount) = payment(to, value, input)?;
    Ok(Inspected {
        chain_id,
        nonce,
        max_priority_fee_per_gas,
        max_fee_per_gas,
        gas_limit,
        contract,
        payee,
        amount,
        from: recover(unsigned, r, s, odd)?,
        hash: keccak256(raw),
    })
}

fn payment(
    to: EvmAddress,
    value: u128,
    input: &[u8],
) -> Result<(Option<EvmAddress>, EvmAddress, u128), InspectError> {
    if input.is_empty() {
        return Ok((None, to, value));
    }
    if value != 0 {
        return Err(InspectError("a call that also pays"));
    }
    // transfer(address,uint256): selector, 12 zeros and the payee, 16 zeros and the amount.
    if input.len() != 68 || input[..4] != [0xa9, 0x05, 0x9c, 0xbb] {
        return Err(InspectError("a call other than transfer"));
    }
    if input[4..16].iter().chain(&input[36..52]).any(|byte| *byte != 0) {
        return Err(InspectError("a transfer with bytes where zeros belong"));
    }
    let payee: [u8; 20] = input[16..36].try_into().map_err(|_| InspectError("no payee"))?;
    let amount: [u8; 16] = input[52..68].try_into().map_err(|_| InspectError("no amount"))?;
    Ok((
        Some(to),
        EvmAddress::from_bytes(payee),
        u128::from_be_bytes(amount),
    ))
}

fn recover(unsigned: &[u8], r: [u8; 32], s: [u8; 32], odd: bool) -> Result<EvmAddress, InspectError> {
    let mut signed = vec![2u8];
    if unsigned.len() < 56 {
        signed.push(0xc0 + u8::try_from(unsigned.len()).map_err(|_| InspectError("too long"))?);
    } else {
        let length = unsigned.len().to_be_bytes();
        let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len())..];
        signed.push(0xf7 + u8::try_from(length.len()).map_err(|_| InspectError("too long"))?);
        signed.extend_from_slice(length);
    }
    signed.extend_from_slice(unsigned);
    let bad = |_| InspectError("a signature of nobody");
    let signature = Signature::from_scalars(r, s).map_err(bad)?;
    let key = VerifyingKey::recover_from_prehash(
        keccak256(&signed).as_slice(),
        &signature,
        RecoveryId::new(odd, false),
    )
    .map_err(bad)?;
    address_of_public_key(key.to_encoded_point(true).as_bytes()).ok_or(InspectError("a signature of nobody"))
}

fn narrow(number: u128) -> Result<u64, InspectError> {
    u64::try_from(number).map_err(|_| InspectError("a number above 64 bits"))
}

/// Reads RLP from the front, canonical forms only.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], InspectError> {
        let (front, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(InspectError("bytes are missing"))?;
        self.0 = rest;
        Ok(front)
    }

    fn long(&mut self, width: u8) -> Result<&'a [u8], InspectError> {
        let digits = self.take(usize::from(width))?;
        let length = digits.iter().try_fold(0usize, |sum, digit| {
            sum.checked_mul(256)
                .and_then(|sum| sum.checked_add(usize::from(*digit)))
        });
        let length = length.ok_or(InspectError("a length beyond memory"))?;
        if digits.first() == Some(&0) || length < 56 {
            return Err(InspectError("a length written too long"));
        }
        self.take(length)
    }

    /// The next item: whether it is a list, and its payload.
    fn item(&mut self) -> Result<(bool, &'a [u8]), InspectError> {
        let first = self.0.first().copied().ok_or(InspectError("bytes are missing"))?;
        if first < 0x80 {
            return Ok((false, self.take(1)?));
        }
        self.take(1)?;
        match first {
            0x80..=0xb7 => {
                let bytes = self.take(usize::from(first - 0x80))?;
                if bytes.len() == 1 && bytes[0] < 0x80 {
                    return Err(InspectError("a byte written too long"));
                }
                Ok((false, bytes))
            }
            0xb8..=0xbf => Ok((false, self.long(first - 0xb7)?)),
            0xc0..=0xf7 => Ok((true, self.take(usize::from(first - 0xc0))?)),
            _ => Ok((true, self.long(first - 0xf7)?)),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], InspectError> {
        match self.item()? {
            (false, bytes) => Ok(bytes),
            (true, _) => Err(InspectError("a list where bytes belong")),
        }
    }

    fn number(&mut self) -> Result<u128, InspectError> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err(InspectError("a number with leading zeros"));
        }
        if bytes.len() > 16 {
            return Err(InspectError("a number above 128 bits"));
        }
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte)))
    }

    fn word(&mut self) -> Result<[u8; 32], InspectError> {
        let bytes = self.bytes()?;
        if bytes.is_empty() || bytes[0] == 0 || bytes.len() > 32 {
            return Err(InspectError("no scalar of a signature"));
        }
        let mut word = [0; 32];
        word[32 - bytes.len()..].copy_from_slice(bytes);
        Ok(word)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a99_a_payment_of_mainnet_is_read() {
        let raw = hex!(
            "02f872018307910d808507204d2cb1827d0094388c818ca8b9251b393131c08a736a67ccb19297880320d04823e2701c80c0\
             01a0cf024f4815304df2867a1a74e9d2707b6abda0337d2d54a4438d453f4160f190a07ac0e6b3bc9395b5b9c8b9e6d77204a\
             236577a5b18467b9175c01de4faa208d9"
        );
        let read = inspect(&raw).unwrap();
        assert_eq!(
            read.payee.to_string(),
            "0x388C818CA8B9251b393131C08a736A67ccB19297"
        );
        assert_eq!(
            read.from.to_string(),
            "0x95222290DD7278Aa3Ddd389Cc1E1d165CC4BAfe5"
        );
        assert_eq!(
            (read.chain_id, read.nonce, read.gas_limit),
            (1, 0x0007_910d, 32_000)
        );
        assert_eq!((read.max_priority_fee_per_gas, read.contract), (0, None));
        for cut in 0..raw.len() {
            assert!(
                inspect(&raw[..cut]).is_err(),
                "cut to {cut} bytes it was accepted"
            );
        }
        assert!(inspect(&[&raw[..], &[0]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = inspect(&raw);
            if let Some(first) = raw.first_mut() {
                *first = 2;
            }
            let _ = inspect(&raw);
        }
    }
}
