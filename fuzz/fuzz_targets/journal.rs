//! Journals as they might be stored by a damaged disk or a wrong program: rows are applied or refused, never a panic, and a
//! state that was reached is one that a snapshot can hold.

#![no_main]

#[path = "../../domain/engine/tests/it/codec.rs"]
#[allow(dead_code, reason = "only what reads is used")]
mod codec;

use ferrex_engine_core::{Engine, Sizes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((accounts, rows)) = codec::read(data) else {
        return;
    };
    let mut engine = Engine::new(0);
    engine.set_book_sizes(Sizes {
        window_bits: 6,
        ring_bits: 6,
    });
    for account in &accounts {
        if engine.replay_account(account).is_err() {
            return;
        }
    }
    for row in &rows {
        if engine.replay(row).is_err() {
            return;
        }
    }
    assert_eq!(engine.sequence(), rows.len() as u64);
    engine.drain_changes();
    engine.drain_order_changes();
    engine.state_hash();
});
