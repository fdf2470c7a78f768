//! Ids that follow from other ids, so that whatever is done twice is done under one id.

use ferrex_ids::CommandId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A UUIDv7 that follows from `base` (itself one), a purpose and a number: it keeps the time of `base`, since the engine
/// finds old command ids by their time, and takes its other bits from a hash.
pub fn uuid(base: Uuid, purpose: &str, number: u32) -> Uuid {
    let hash = Sha256::new()
        .chain_update(base.as_bytes())
        .chain_update(number.to_be_bytes())
        .chain_update(purpose.as_bytes())
        .finalize();
    let mut bytes = *base.as_bytes();
    bytes[6..].copy_from_slice(&hash[..10]);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    Uuid::from_bytes(bytes)
}

/// The id of the `round`-th command that a thing gives to the engine for a purpose.
pub fn command(base: Uuid, purpose: &str, round: u32) -> CommandId {
    CommandId::from_uuid(uuid(base, purpose, round))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_a_uuid_of_the_same_moment() {
        let base = ferrex_ids::uuid_at(1_700_000_000_123);
        let derived = uuid(base, "credit", 1);
        assert_eq!(derived.get_version_num(), 7);
        assert_eq!(derived.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(derived.as_bytes()[..6], base.as_bytes()[..6]);
    }

    #[test]
    fn equal_parts_give_equal_ids_and_no_others() {
        let base = ferrex_ids::uuid_at(1);
        assert_eq!(uuid(base, "credit", 1), uuid(base, "credit", 1));
        assert_ne!(uuid(base, "credit", 1), uuid(base, "credit", 2));
        assert_ne!(uuid(base, "credit", 1), uuid(base, "reverse", 1));
        assert_ne!(uuid(base, "credit", 1), uuid(ferrex_ids::uuid_at(1), "credit", 1));
    }
}
