//! Snapshots with a right length and checksum, whatever stands between: refused, or read as exactly what they say.

#![no_main]

use ferrex_engine_core::{Sizes, Snapshot};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

/// Magic, version, length.
const PREFIX: usize = 18;
const TAIL: usize = 32;

fuzz_target!(|data: &[u8]| {
    let sizes = Sizes {
        window_bits: 6,
        ring_bits: 6,
    };
    let _ = Snapshot::read_with_sizes(data, sizes);
    // The head as it must be, then what the fuzzer says; the state hash stands at its end and is made right too.
    let mut bytes = b"FERREXSN\x01\x00".to_vec();
    bytes.extend_from_slice(&((PREFIX + data.len() + TAIL) as u64).to_le_bytes());
    bytes.extend_from_slice(data);
    let sealed = |mut bytes: Vec<u8>| {
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    };
    let bytes = sealed(bytes);
    if let Ok(snapshot) = Snapshot::read_with_sizes(&bytes, sizes) {
        assert_eq!(snapshot.engine.to_snapshot(snapshot.last), bytes);
    }
});
