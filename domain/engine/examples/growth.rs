//! How long a snapshot of so many accounts takes to be written and read, and how long it is.
//!
//! `cargo run --release -p ferrex-engine-core --example growth [accounts]`

use std::time::Instant;

use ferrex_engine_core::{AccountRow, Engine, JournalRow, LastRow, RowKind, Snapshot};
use ferrex_ids::CommandId;
use ferrex_ledger::{Account, AccountKey, Purpose};
use ferrex_money::AssetId;
use ferrex_time::from_micros;
use uuid::Uuid;

fn main() {
    let count: u32 = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let mut engine = Engine::new(0);
    let mut last = None;
    for id in 1..=count {
        let account = match id {
            1 => Account::house(Purpose::DepositAddresses),
            _ => Account::wallet(Uuid::from_u128(u128::from(id) << 64)),
        };
        let key = AccountKey {
            account,
            asset: AssetId(1),
        };
        engine
            .replay_account(&AccountRow { id, shard: 0, key })
            .expect("ids count from 1");
        if id == 1 {
            continue;
        }
        let row = JournalRow {
            id: engine.sequence() + 1,
            command: CommandId::from_uuid(Uuid::from_u128(u128::from(id))),
            fingerprint: 1,
            at: from_micros(1),
            reason: 1,
            reference: Uuid::nil(),
            kind: RowKind::Move,
            debit: 1,
            credit: id,
            asset: 1,
            amount: 1_000_000_000_000,
            hold: None,
            expires_at: None,
            refusal: 0,
            last: true,
            order: None,
            details: None,
        };
        engine.replay(&row).expect("a deposit");
        engine.drain_changes();
        last = Some(LastRow {
            id: row.id,
            command: row.command,
            fingerprint: 1,
        });
        if id % 100_000 == 0 {
            engine.forget_before(from_micros(0), 100_000);
        }
    }
    let last = last.expect("more than one account");
    let started = Instant::now();
    let bytes = engine.to_snapshot(last);
    let wrote = started.elapsed();
    drop(engine);
    let started = Instant::now();
    let snapshot = Snapshot::read(&bytes).expect("it was just written");
    println!(
        "{} accounts, {} commands: {} bytes, written in {wrote:.2?}, read in {:.2?}",
        count,
        snapshot.engine.known_count(),
        bytes.len(),
        started.elapsed()
    );
}
