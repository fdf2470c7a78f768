use crate::{Amount, Decimals};

/// Why a text is not an amount. The texts are written for the person who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Nothing was given.
    #[error("an amount is missing; give digits with at most one point, such as \"12.5\"")]
    Empty,
    /// It holds something other than ASCII digits and one point.
    #[error(
        "an amount consists of the digits 0 to 9 and at most one point with digits on both sides, such as \"12.5\""
    )]
    Malformed,
    /// It begins with a superfluous zero.
    #[error("an amount has no leading zeros; write \"0.1\", not \"00.1\"")]
    LeadingZero,
    /// It has more decimal places than the asset.
    #[error("this asset has {allowed} decimal places, the amount has {got}")]
    TooManyDecimals {
        /// Places the asset has.
        allowed: u8,
        /// Places the text has.
        got: usize,
    },
    /// It does not fit in 128 bits of the smallest unit.
    #[error("the amount is too large")]
    TooLarge,
}

/// Reads a decimal text such as `12.5` as an amount of an asset with `decimals` places.
///
/// Accepts `digits` or `digits.digits`, ASCII only, without sign, exponent, separator, space or leading zero, and
/// with no more places than the asset has (trailing zeros count as places). This is the only parser of amounts.
pub fn parse(text: &str, decimals: Decimals) -> Result<Amount, AmountError> {
    if text.is_empty() {
        return Err(AmountError::Empty);
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(AmountError::Malformed),
        None => (text, ""),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(AmountError::Malformed);
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(AmountError::LeadingZero);
    }
    let places = usize::from(decimals.places());
    if fraction.len() > places {
        return Err(AmountError::TooManyDecimals {
            allowed: decimals.places(),
            got: fraction.len(),
        });
    }
    let padding = std::iter::repeat_n(b'0', places - fraction.len());
    let mut units: u128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()).chain(padding) {
        units = units
            .checked_mul(10)
            .and_then(|units| units.checked_add(u128::from(digit - b'0')))
            .ok_or(AmountError::TooLarge)?;
    }
    Ok(Amount::new(units))
}

/// Writes an amount of an asset with `decimals` places as the shortest exact decimal text: no trailing zeros, no
/// point without a fraction.
pub fn format(amount: Amount, decimals: Decimals) -> String {
    let per_whole = decimals.units_per_whole();
    let (whole, fraction) = (amount.units() / per_whole, amount.units() % per_whole);
    if fraction == 0 {
        return whole.to_string();
    }
    let places = usize::from(decimals.places());
    let padded = format!("{fraction:0places$}");
    format!("{whole}.{}", padded.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimals(places: u8) -> Decimals {
        Decimals::try_new(places).unwrap()
    }

    proptest! {
        #[test]
        fn parse_undoes_format(units in prop_oneof![Just(0), Just(1), Just(u128::MAX), any::<u128>()], places in 0u8..=30) {
            let text = format(Amount::new(units), decimals(places));
            prop_assert_eq!(parse(&text, decimals(places)), Ok(Amount::new(units)));
        }

        #[test]
        fn whatever_is_accepted_is_plain_decimal(text in "\\PC{0,12}", places in 0u8..=30) {
            if parse(&text, decimals(places)).is_ok() {
                prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{}", text);
            }
        }
    }

    #[test]
    fn f106_odd_amounts_are_refused() {
        let too_large = format!("1{}", "0".repeat(40));
        for text in [
            "-1",
            "+1",
            "1e400",
            "NaN",
            "inf",
            "0x10",
            "1,5",
            "１２",
            "1e-19",
            too_large.as_str(),
            "",
            "00.1",
            " 1",
            "1 ",
            ".5",
            "1.",
            "1.2.3",
            "1_000",
            "1\u{0}",
        ] {
            assert!(parse(text, decimals(18)).is_err(), "{text:?} was accepted");
        }
        assert_eq!(
            parse("0.0000000000000000001", decimals(18)),
            Err(AmountError::TooManyDecimals { allowed: 18, got: 19 })
        );
    }

    #[test]
    fn a_megabyte_of_digits_is_refused_without_harm() {
        assert_eq!(
            parse(&"9".repeat(1 << 20), decimals(0)),
            Err(AmountError::TooLarge)
        );
    }

    #[test]
    fn examples_read_as_expected() {
        assert_eq!(
            parse("1.5", decimals(18)),
            Ok(Amount::new(1_500_000_000_000_000_000))
        );
        assert_eq!(parse("0", decimals(0)), Ok(Amount::ZERO));
        assert_eq!(
            format(Amount::new(1), decimals(30)),
            "0.000000000000000000000000000001"
        );
        assert_eq!(format(Amount::new(1_500_000), decimals(6)), "1.5");
        assert_eq!(format(Amount::MAX, decimals(0)), u128::MAX.to_string());
    }
}
