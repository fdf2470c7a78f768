use ferrex_money::Amount;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// A `u128` as PostgreSQL's `NUMERIC(39,0)`, in its binary form: base 10,000 digits, most significant first.
///
/// What is not a whole number between 0 and 2^128 - 1 is refused when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgU128(pub u128);

/// The number types' object ids are the same in every PostgreSQL.
const NUMERIC: Oid = Oid(1700);
const NUMERIC_ARRAY: Oid = Oid(1231);
const BASE: u128 = 10_000;
const SHORT_BASE: u64 = 10_000;
const POSITIVE: u16 = 0x0000;

impl From<Amount> for PgU128 {
    fn from(amount: Amount) -> Self {
        Self(amount.units())
    }
}

impl From<PgU128> for Amount {
    fn from(number: PgU128) -> Self {
        Self::new(number.0)
    }
}

impl From<u128> for PgU128 {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl From<PgU128> for u128 {
    fn from(number: PgU128) -> Self {
        number.0
    }
}

impl Type<Postgres> for PgU128 {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(NUMERIC)
    }
}

impl PgHasArrayType for PgU128 {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(NUMERIC_ARRAY)
    }
}

/// 2^128 has 39 decimal digits, so at most 10 digits of base 10,000.
const DIGITS_MAX: usize = 10;

fn write(mut rest: u128, into: &mut Vec<u8>) {
    let mut digits = [0u16; DIGITS_MAX];
    let mut used = 0;
    while rest > 0 {
        let digit;
        // To divide the double word costs several times as much, and few amounts are that large.
        (rest, digit) = match u64::try_from(rest) {
            Ok(low) => ((low / SHORT_BASE).into(), (low % SHORT_BASE).into()),
            Err(_) => (rest / BASE, rest % BASE),
        };
        digits[used] = u16::try_from(digit).expect("a remainder below 10,000 fits");
        used += 1;
    }
    let count = u16::try_from(used).expect("at most ten digits");
    // The weight is the power of 10,000 of the first digit; zero has no digits and weight 0.
    let weight = count.saturating_sub(1);
    for part in [count, weight, POSITIVE, 0] {
        into.extend_from_slice(&part.to_be_bytes());
    }
    for digit in digits[..used].iter().rev() {
        into.extend_from_slice(&digit.to_be_bytes());
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<u128, BoxDynError> {
    let mut words = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (Some(count), Some(weight), Some(sign), Some(_scale)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("a NUMERIC is shorter than its head".into());
    };
    let weight = weight.cast_signed();
    if sign != POSITIVE {
        return Err("a NUMERIC is negative or not a number where an amount was expected".into());
    }
    if words.len() != usize::from(count) {
        return Err("a NUMERIC has digits that do not fit its head".into());
    }
    let mut value: u128 = 0;
    let mut place = i32::from(weight);
    for digit in words {
        if u128::from(digit) >= BASE {
            return Err("a NUMERIC has digits that do not fit its head".into());
        }
        if place < 0 && digit != 0 {
            return Err("a NUMERIC has a fraction where a whole amount was expected".into());
        }
        if place >= 0 {
            value = value
                .checked_mul(BASE)
                .and_then(|value| value.checked_add(u128::from(digit)))
                .ok_or("a NUMERIC is above 2^128 - 1")?;
        }
        place -= 1;
    }
    // Trailing zero digits are not sent; `place` now names the first one that is missing.
    while place >= 0 && value != 0 {
        value = value.checked_mul(BASE).ok_or("a NUMERIC is above 2^128 - 1")?;
        place -= 1;
    }
    Ok(value)
}

impl Encode<'_, Postgres> for PgU128 {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let mut bytes = Vec::with_capacity(8 + 2 * DIGITS_MAX);
        write(self.0, &mut bytes);
        buffer.extend_from_slice(&bytes);
        Ok(IsNull::No)
    }

    fn size_hint(&self) -> usize {
        8 + 2 * DIGITS_MAX
    }
}

impl Decode<'_, Postgres> for PgU128 {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => read(value.as_bytes()?).map(Self),
            PgValueFormat::Text => Ok(Self(value.as_str()?.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_of(number: u128) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(number, &mut bytes);
        bytes
    }

    fn raw(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(number in prop_oneof![any::<u128>(), 0u128..100_000, (0u32..39).prop_map(|p| 10u128.pow(p))]) {
            prop_assert_eq!(read(&bytes_of(number)).unwrap(), number);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn edges_are_exact() {
        for number in [0, 1, 9_999, 10_000, 10_001, u128::MAX - 1, u128::MAX] {
            assert_eq!(read(&bytes_of(number)).unwrap(), number);
        }
    }

    #[test]
    fn digits_that_the_server_leaves_out_count_as_zeros() {
        assert_eq!(read(&raw(&[1, 2, 0, 0, 7])).unwrap(), 700_000_000);
        assert_eq!(read(&raw(&[0, 0, 0, 0])).unwrap(), 0);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let negative = raw(&[1, 0, 0x4000, 0, 1]);
        let not_a_number = raw(&[0, 0, 0xC000, 0]);
        let a_half = raw(&[1, 0xFFFF, 0, 1, 5_000]);
        let too_large = raw(&[1, 10, 0, 0, 9_999]);
        let bad_digit = raw(&[1, 0, 0, 0, 10_000]);
        for bytes in [negative, not_a_number, a_half, too_large, bad_digit] {
            assert!(read(&bytes).is_err(), "{bytes:?}");
        }
    }
}
