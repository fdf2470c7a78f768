use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A non-negative number of an asset's smallest unit (wei, satoshi, cent).
///
/// On every internal wire it is a string of decimal digits, since JSON numbers lose digits beyond 2^53.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

impl Amount {
    /// No units.
    pub const ZERO: Self = Self(0);
    /// The largest amount there is, 2^128 - 1 units.
    pub const MAX: Self = Self(u128::MAX);

    /// An amount of `units` smallest units.
    pub const fn new(units: u128) -> Self {
        Self(units)
    }

    /// The number of smallest units.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Whether there is nothing of it.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` above [`Amount::MAX`].
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}u", self.0)
    }
}

/// The plain count of smallest units; for people use [`crate::format`].
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Units;
        impl de::Visitor<'_> for Units {
            type Value = Amount;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of smallest units as a string of digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let canonical = text == "0" || !text.starts_with('0');
                if !digits_only || !canonical {
                    return Err(E::invalid_value(de::Unexpected::Str(text), &self));
                }
                text.parse()
                    .map(Amount)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Units)
    }
}

/// A dense number that `payment`'s registry gives an asset once and for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AssetId(pub u32);

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many decimal places one whole unit of an asset has: 18 for ether, 8 for bitcoin, 0 to 30 in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Decimals(u8);

/// The number of decimals is not between 0 and 30.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("decimals must be between 0 and {max}, got {0}", max = Decimals::MAX.0)]
pub struct DecimalsOutOfRange(pub u8);

impl Decimals {
    /// The most decimals an asset may have.
    pub const MAX: Self = Self(30);

    /// Checks the range 0 to 30.
    pub const fn try_new(places: u8) -> Result<Self, DecimalsOutOfRange> {
        if places > Self::MAX.0 {
            Err(DecimalsOutOfRange(places))
        } else {
            Ok(Self(places))
        }
    }

    /// The number of places.
    pub const fn places(self) -> u8 {
        self.0
    }

    /// Smallest units in one whole unit, 10^places; fits since 10^30 is below 2^128.
    pub const fn units_per_whole(self) -> u128 {
        10u128.pow(self.0 as u32)
    }
}

impl TryFrom<u8> for Decimals {
    type Error = DecimalsOutOfRange;
    fn try_from(places: u8) -> Result<Self, Self::Error> {
        Self::try_new(places)
    }
}

impl From<Decimals> for u8 {
    fn from(decimals: Decimals) -> u8 {
        decimals.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edges() -> impl Strategy<Value = u128> {
        prop_oneof![
            Just(0),
            Just(1),
            Just(u128::MAX),
            Just(u128::MAX - 1),
            any::<u128>(),
            0u128..1_000_000
        ]
    }

    proptest! {
        #[test]
        fn subtraction_undoes_addition(a in edges(), b in edges()) {
            match Amount::new(a).checked_add(Amount::new(b)) {
                Some(sum) => prop_assert_eq!(sum.checked_sub(Amount::new(b)), Some(Amount::new(a))),
                None => prop_assert!(a > u128::MAX - b),
            }
        }

        #[test]
        fn units_survive_the_wire(units in edges()) {
            let json = serde_json::to_string(&Amount::new(units)).unwrap();
            prop_assert_eq!(&json, &format!("\"{units}\""));
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), Amount::new(units));
        }
    }

    #[test]
    fn numbers_and_loose_digits_are_no_amount_on_the_wire() {
        for json in [
            "1", "1.0", "\"\"", "\"-1\"", "\"+1\"", "\"01\"", "\"1.0\"", "\"1e3\"", "\" 1\"", "null",
        ] {
            assert!(serde_json::from_str::<Amount>(json).is_err(), "{json}");
        }
        let above = "\"340282366920938463463374607431768211456\"";
        assert!(serde_json::from_str::<Amount>(above).is_err());
    }

    #[test]
    fn what_is_no_amount_on_the_wire_is_answered_with_what_would_be() {
        let error = serde_json::from_str::<Amount>("1").unwrap_err().to_string();
        assert!(
            error.contains("expected a whole number of smallest units as a string of digits"),
            "{error}"
        );
    }

    #[test]
    fn only_no_units_are_zero_and_all_are_written_in_full() {
        assert!(Amount::ZERO.is_zero() && !Amount::new(1).is_zero() && !Amount::MAX.is_zero());
        assert_eq!(Amount::new(1_500).to_string(), "1500");
        assert_eq!(format!("{:?}", Amount::new(1_500)), "1500u");
        assert_eq!(AssetId(12).to_string(), "12");
    }

    #[test]
    fn decimals_survive_the_wire_and_31_are_refused() {
        for places in 0..=30 {
            let decimals = Decimals::try_new(places).unwrap();
            assert_eq!(serde_json::to_string(&decimals).unwrap(), places.to_string());
            assert_eq!(
                serde_json::from_str::<Decimals>(&places.to_string()).unwrap(),
                decimals
            );
        }
        let error = serde_json::from_str::<Decimals>("31").unwrap_err().to_string();
        assert!(error.contains("between 0 and 30, got 31"), "{error}");
    }
}
