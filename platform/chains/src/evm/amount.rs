use alloy_primitives::U256;

/// An amount of a chain that does not fit in the 128 bits that Ferrex books. It goes to suspense, not to the bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount {0} does not fit in 128 bits")]
pub struct AboveU128(pub U256);

/// The same amount in 128 bits, or the amount that does not fit.
pub fn to_u128(amount: U256) -> Result<u128, AboveU128> {
    u128::try_from(amount).map_err(|_| AboveU128(amount))
}

/// Bytes from `0x` and an even number of hexadecimal digits; `None` for anything else.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    alloy_primitives::hex::decode(digits)
        .ok()
        .filter(|_| !digits.starts_with("0x"))
}

/// Bytes as `0x` and lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    alloy_primitives::hex::encode_prefixed(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_reported_whole() {
        let above = U256::from(u128::MAX) + U256::from(1);
        assert_eq!(to_u128(U256::from(u128::MAX)), Ok(u128::MAX));
        assert_eq!(to_u128(above), Err(AboveU128(above)));
        assert_eq!(to_u128(U256::MAX), Err(AboveU128(U256::MAX)));
    }

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(from_hex("0x00ff"), Some(vec![0, 255]));
        assert_eq!(from_hex("0x"), Some(Vec::new()));
        for text in ["00ff", "0x0", "0xzz", "0x0x00", "", "0X00", "0x 00"] {
            assert_eq!(from_hex(text), None, "{text:?}");
        }
        assert_eq!(to_hex(&[0, 255]), "0x00ff");
    }
}
