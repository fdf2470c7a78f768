//! Commands as they come over the wire, decided one after the other: the replica that applies their rows has the same state,
//! nothing is negative, and what holds and orders have set aside is what accounts hold.

#![no_main]

use ferrex_engine_core::{Batch, Command, Engine, LastRow, Sizes, Snapshot};
use libfuzzer_sys::fuzz_target;

const SIZES: Sizes = Sizes {
    window_bits: 6,
    ring_bits: 6,
};

fuzz_target!(|data: &[u8]| {
    let Ok(commands) = serde_json::from_slice::<Vec<Command>>(data) else {
        return;
    };
    let text = serde_json::to_vec(&commands).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<Command>>(&text).unwrap(), commands);
    let (mut engine, mut replica, mut batch) = (Engine::new(0), Engine::new(0), Batch::default());
    engine.set_book_sizes(SIZES);
    replica.set_book_sizes(SIZES);
    let mut last = None;
    for command in &commands {
        batch.clear();
        let outcome = engine.apply(command, &mut batch);
        assert!(outcome.sequence() <= engine.sequence());
        for account in &batch.accounts {
            replica.replay_account(account).unwrap();
        }
        for row in &batch.rows {
            replica.replay(row).unwrap();
            last = Some(LastRow {
                id: row.id,
                command: row.command,
                fingerprint: row.fingerprint,
            });
        }
        for (key, state) in engine.ledger().accounts() {
            assert!(state.held <= state.total, "{key:?}");
        }
    }
    assert_eq!(replica.state_hash(), engine.state_hash());
    if let Some(last) = last {
        let snapshot = Snapshot::read_with_sizes(&engine.to_snapshot(last), SIZES).unwrap();
        assert_eq!(snapshot.engine.state_hash(), engine.state_hash());
    }
});
