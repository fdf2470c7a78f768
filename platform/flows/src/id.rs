use ferrex_ids::{EffectId, FlowId};
use ferrex_time::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A UUID of version 7 whose time part is `at` and whose other bits are a hash of `parts`: the same inputs give the same
/// id, and ids sort by their moment as the engine's idempotency window needs.
pub fn derived_id(at: Timestamp, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0u8; 16];
    let unix_ms = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[6] = bytes[6] & 0x0F | 0x70;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    Uuid::from_bytes(bytes)
}

/// The id of the effect at `position` among those that `step` of `flow`, taken at `at`, wants.
pub fn effect_id(flow: FlowId, step: u32, position: u16, at: Timestamp) -> EffectId {
    let (flow, step, position) = (flow.uuid(), step.to_be_bytes(), position.to_be_bytes());
    let parts: [&[u8]; 4] = [b"ferrex.flow.effect", flow.as_bytes(), &step, &position];
    EffectId::from_uuid(derived_id(at, &parts))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ferrex_time::from_micros;

    use super::*;

    #[test]
    fn an_effect_has_one_id_and_no_two_share_it() {
        let at = from_micros(1_700_000_000_000_000);
        let flow = FlowId::new_at(1_700_000_000_000);
        let mut seen = HashSet::new();
        for step in 0..50 {
            for position in 0..20 {
                let id = effect_id(flow, step, position, at);
                assert_eq!(id, effect_id(flow, step, position, at));
                assert!(seen.insert(id));
            }
        }
        assert_ne!(effect_id(FlowId::new_at(1), 1, 0, at), effect_id(flow, 1, 0, at));
    }

    #[test]
    fn it_is_a_uuid_of_version_7_that_sorts_by_its_moment() {
        let flow = FlowId::new_at(1_700_000_000_000);
        let early = effect_id(flow, 9, 9, from_micros(1_700_000_000_000_000));
        let late = effect_id(flow, 1, 0, from_micros(1_700_000_000_001_000));
        assert_eq!(early.uuid().get_version_num(), 7);
        assert_eq!(early.uuid().get_variant(), uuid::Variant::RFC4122);
        assert!(early < late);
    }
}
