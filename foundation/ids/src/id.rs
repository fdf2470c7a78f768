use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// What an [`Id`] names.
pub trait Kind: 'static {
    /// Three lower-case letters, unique in the registry.
    const PREFIX: &'static str;
}

/// A UUIDv7 of a thing of kind `K`, shown as `prefix_` and 26 characters of Crockford's base32 in lower case.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// Why a text is not an id of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an id such as \"{prefix}_\" followed by 26 characters of 0-9 and a-z without i, l, o, u")]
pub struct IdError {
    prefix: &'static str,
}

/// A UUIDv7 for a moment given as Unix milliseconds, its other bits random.
pub fn uuid_at(unix_ms: u64) -> Uuid {
    let seconds = unix_ms / 1_000;
    let nanos = u32::try_from(unix_ms % 1_000).expect("a remainder below 1000 fits") * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

impl<K: Kind> Id<K> {
    /// A new id for a moment given as Unix milliseconds, its other bits random.
    pub fn new_at(unix_ms: u64) -> Self {
        Self::from_uuid(uuid_at(unix_ms))
    }

    /// Takes a UUID from a store or another id that names the same thing.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self {
            uuid,
            kind: PhantomData,
        }
    }

    /// The bare UUID, for a store.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The same UUID under another kind; for things that share their identity, such as a withdrawal and its hold.
    pub const fn cast<L>(self) -> Id<L> {
        Id {
            uuid: self.uuid,
            kind: PhantomData,
        }
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;
const PREFIX: usize = 3;
const CHARS: usize = PREFIX + 1 + DIGITS;

/// What each byte stands for as a digit; nothing in [`ALPHABET`] stands for [`NO_DIGIT`].
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value: u8 = 0;
    while (value as usize) < ALPHABET.len() {
        values[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    values
};
const NO_DIGIT: u8 = u8::MAX;

impl<K: Kind> Id<K> {
    const PREFIX_FITS: () = assert!(K::PREFIX.len() == PREFIX);

    /// Hands its text to `show`; ids are written too often to go through the formatter digit by digit.
    fn with_text<T>(self, show: impl FnOnce(&str) -> T) -> T {
        let () = Self::PREFIX_FITS;
        let mut text = [b'_'; CHARS];
        text[..PREFIX].copy_from_slice(K::PREFIX.as_bytes());
        let mut rest = self.uuid.as_u128();
        for place in text[PREFIX + 1..].iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        show(std::str::from_utf8(&text).expect("prefix and alphabet are ASCII"))
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refused = IdError { prefix: K::PREFIX };
        let digits = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .filter(|digits| digits.len() == DIGITS);
        let Some(digits) = digits else {
            return Err(refused);
        };
        let mut value: u128 = 0;
        for (place, digit) in digits.bytes().enumerate() {
            let digit = VALUES[usize::from(digit)];
            // 26 digits of 5 bits are 130 bits: the first digit may only use 3.
            if digit == NO_DIGIT || (place == 0 && digit > 7) {
                return Err(refused);
            }
            value = value << 5 | u128::from(digit);
        }
        Ok(Self::from_uuid(Uuid::from_u128(value)))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(PhantomData))
    }
}

/// Reads an id from text wherever that stands, without a copy.
struct Text<K>(PhantomData<fn() -> K>);

impl<K: Kind> de::Visitor<'_> for Text<K> {
    type Value = Id<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "text such as \"{}_\" followed by {DIGITS} characters",
            K::PREFIX
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id<K>, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{UserId, WithdrawalId};

    proptest! {
        #[test]
        fn text_and_id_are_inverse(value in any::<u128>()) {
            let id = UserId::from_uuid(Uuid::from_u128(value));
            prop_assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
            prop_assert_eq!(serde_json::from_str::<UserId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn other_texts_are_refused(text in "\\PC{0,40}") {
            if let Ok(id) = text.parse::<UserId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = UserId::new_at(1_700_000_000_000);
        assert!(id.to_string().parse::<WithdrawalId>().is_err());
    }

    #[test]
    fn ids_sort_by_their_moment() {
        assert!(UserId::new_at(1_000) < UserId::new_at(2_000));
        assert!(UserId::new_at(1_000).to_string() < UserId::new_at(2_000).to_string());
    }
}
