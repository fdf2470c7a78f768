//! The calls and the event of ERC-20 tokens, as bytes.

use alloy_primitives::{B256, U256, b256};

use super::EvmAddress;

/// `keccak256("Transfer(address,address,uint256)")`.
pub const TRANSFER_EVENT: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];

/// The input of a call `transfer(payee, amount)`.
pub fn encode_transfer(payee: EvmAddress, amount: u128) -> Vec<u8> {
    let mut input = Vec::with_capacity(68);
    input.extend_from_slice(&TRANSFER);
    input.extend_from_slice(payee.alloy().into_word().as_slice());
    input.extend_from_slice(&U256::from(amount).to_be_bytes::<32>());
    input
}

/// Payee and amount of a call `transfer`, or `None` when the input is anything else: another function, other than
/// exactly two words, or bytes where an address has none.
pub fn decode_transfer(input: &[u8]) -> Option<(EvmAddress, U256)> {
    let words = input.strip_prefix(&TRANSFER)?;
    if words.len() != 64 {
        return None;
    }
    let payee = word_address(&words[..32])?;
    Some((payee, U256::from_be_slice(&words[32..])))
}

/// The input of a call `balanceOf(owner)`.
pub fn encode_balance_of(owner: EvmAddress) -> Vec<u8> {
    [&BALANCE_OF[..], owner.alloy().into_word().as_slice()].concat()
}

/// The input of a call `decimals()`.
pub fn encode_decimals() -> Vec<u8> {
    DECIMALS.to_vec()
}

/// The one number that a call answered, or `None` when the answer is not exactly one word.
pub fn decode_number(output: &[u8]) -> Option<U256> {
    (output.len() == 32).then(|| U256::from_be_slice(output))
}

/// The parts of a `Transfer` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferEvent {
    /// Who paid; the zero address for new tokens.
    pub from: EvmAddress,
    /// Who was paid.
    pub to: EvmAddress,
    /// How much, in the token's smallest unit.
    pub amount: U256,
}

/// Reads a log as a `Transfer` event with indexed addresses, as the standard has it. A token of ERC-721 indexes the
/// third part as well and is not one.
pub fn decode_transfer_event(topics: &[B256], data: &[u8]) -> Option<TransferEvent> {
    match topics {
        [event, from, to] if *event == TRANSFER_EVENT => Some(TransferEvent {
            from: word_address(from.as_slice())?,
            to: word_address(to.as_slice())?,
            amount: decode_number(data)?,
        }),
        _ => None,
    }
}

fn word_address(word: &[u8]) -> Option<EvmAddress> {
    let (padding, address) = word.split_at_checked(12)?;
    let address: [u8; 20] = address.try_into().ok()?;
    padding
        .iter()
        .all(|byte| *byte == 0)
        .then(|| EvmAddress::from_bytes(address))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn selectors_are_those_of_the_signatures() {
        let selector = |signature: &str| keccak256(signature).0[..4].to_vec();
        assert_eq!(selector("transfer(address,uint256)"), TRANSFER);
        assert_eq!(selector("balanceOf(address)"), BALANCE_OF);
        assert_eq!(selector("decimals()"), DECIMALS);
        assert_eq!(keccak256("Transfer(address,address,uint256)"), TRANSFER_EVENT);
    }

    proptest! {
        #[test]
        fn a_transfer_is_read_back(payee in any::<[u8; 20]>(), amount in any::<u128>()) {
            let payee = EvmAddress::from_bytes(payee);
            let input = encode_transfer(payee, amount);
            prop_assert_eq!(decode_transfer(&input), Some((payee, U256::from(amount))));
            prop_assert_eq!(decode_transfer(&input[..67]), None);
            let mut longer = input.clone();
            longer.push(0);
            prop_assert_eq!(decode_transfer(&longer), None);
            let mut dirty = input;
            dirty[4] = 1;
            prop_assert_eq!(decode_transfer(&dirty), None);
        }

        #[test]
        fn no_input_makes_it_panic(input in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode_transfer(&input);
            let _ = decode_number(&input);
            let _ = decode_transfer_event(&[TRANSFER_EVENT, TRANSFER_EVENT, TRANSFER_EVENT], &input);
        }
    }

    #[test]
    fn the_event_of_a_collectible_is_no_payment() {
        let word = B256::ZERO;
        assert_eq!(
            decode_transfer_event(&[TRANSFER_EVENT, word, word, word], &[]),
            None
        );
        assert_eq!(
            decode_transfer_event(&[TRANSFER_EVENT, word, word], &[0; 31]),
            None
        );
        assert!(decode_transfer_event(&[TRANSFER_EVENT, word, word], &[0; 32]).is_some());
    }
}
