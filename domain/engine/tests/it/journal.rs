//! I15: journals whose state hashes are committed. Whoever builds this code, on whatever machine, comes to the same state.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use ferrex_engine_core::{
    AccountRow, Action, Batch, Engine, JournalRow, LastRow, MarketId, MarketView, ReplayError, Restore,
    Snapshot,
};
use ferrex_time::from_micros;
use sha2::{Digest, Sha256};

use crate::codec;
use crate::generator::Stream;
use crate::support::{Desk, SIZES, spec};

/// A released file, or one that is compared. Released ones are written once and never again.
fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(name)
}

fn is_updating() -> bool {
    std::env::var_os("UPDATE_SNAPSHOTS").is_some()
}

fn read_released(name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = golden(name);
    if is_updating() && !path.exists() {
        std::fs::write(&path, make()).unwrap();
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the fuzzer begins with (`fuzz/corpus`), made by the streams of these tests.
#[test]
fn the_fuzzers_first_inputs_are_made_of_these_streams() {
    for (seed, count) in [(31, 45), (32, 80), (33, 200)] {
        let (mut stream, mut desk) = (Stream::new(seed), Desk::new(SIZES));
        let (mut commands, mut accounts, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let _ = stream.next(&mut desk);
            commands.extend(desk.decided.take());
            accounts.append(&mut desk.batch.accounts);
            rows.append(&mut desk.batch.rows);
        }
        let row = rows.last().unwrap();
        let last = LastRow {
            id: row.id,
            command: row.command,
            fingerprint: row.fingerprint,
        };
        let snapshot = desk.engine.to_snapshot(last);
        // The target puts magic, version, length and checksum around it.
        let inside = snapshot[18..snapshot.len() - 32].to_vec();
        for (target, bytes) in [
            ("command", serde_json::to_vec(&commands).unwrap()),
            ("journal", codec::write(&accounts, &rows)),
            ("snapshot", inside),
        ] {
            let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
            let path = path.join(target).join(format!("stream-{seed}"));
            if is_updating() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &bytes).unwrap();
            }
            assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
        }
    }
}

/// All rows of the first `count` commands of a stream, and its desk.
fn played(seed: u64, count: usize) -> (Desk, Vec<AccountRow>, Vec<JournalRow>) {
    let (mut stream, mut desk) = (Stream::new(seed), Desk::new(SIZES));
    let (mut accounts, mut rows) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let _ = stream.next(&mut desk);
        accounts.append(&mut desk.batch.accounts);
        rows.append(&mut desk.batch.rows);
    }
    (desk, accounts, rows)
}

fn replayed(accounts: &[AccountRow], rows: &[JournalRow]) -> Engine {
    let mut engine = Engine::new(0);
    for account in accounts {
        engine.replay_account(account).unwrap();
    }
    for row in rows {
        engine
            .replay(row)
            .unwrap_or_else(|error| panic!("{error:?}: {row:?}"));
    }
    engine
}

/// What a journal has in it, and what it comes to.
fn summary(accounts: &[AccountRow], rows: &[JournalRow], engine: &Engine) -> String {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        *kinds.entry(format!("{:?}", row.kind)).or_default() += 1;
        let Some(part) = &row.order else { continue };
        for (what, is) in [
            ("auction trade", part.flags.is_auction()),
            ("iceberg", part.display > 0),
            ("stop", part.stop > 0),
            ("triggered stop", part.flags.is_triggered()),
            ("market order", part.flags.is_market()),
            ("order by value", part.flags.is_by_value()),
            ("named order", part.client.is_some()),
            ("order with an expiry", row.expires_at.is_some()),
        ] {
            *kinds.entry(what.to_owned()).or_default() += u64::from(is);
        }
    }
    let mut text = String::new();
    for (kind, count) in kinds {
        assert!(count > 0, "there is no {kind}");
        writeln!(text, "{kind}: {count}").unwrap();
    }
    let journal = Sha256::digest(codec::write(accounts, rows));
    writeln!(text, "journal: {}", hex::encode(journal)).unwrap();
    writeln!(text, "state: {}", hex::encode(engine.state_hash())).unwrap();
    text
}

#[test]
fn i15_a_hundred_thousand_commands_come_to_the_committed_journal_and_state() {
    let (desk, accounts, rows) = played(15, 100_000);
    desk.check();
    let engine = replayed(&accounts, &rows);
    assert_eq!(engine.state_hash(), desk.engine.state_hash());
    let text = summary(&accounts, &rows, &engine);
    assert!(text.contains("auction trade") && text.contains("triggered stop") && text.contains("Expire"));
    let path = golden("journal-100000.txt");
    if is_updating() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap());
}

/// Rows as an earlier release has written them: they are applied, never decided again, so they come to the same state also
/// when new rules would decide otherwise.
#[test]
fn i15_the_released_journal_comes_to_its_state() {
    let bytes = read_released("journal-1.bin", || {
        let (_, accounts, rows) = played(1, 4_000);
        codec::write(&accounts, &rows)
    });
    let (accounts, rows) = codec::read(&bytes).unwrap();
    assert_eq!(codec::write(&accounts, &rows), bytes);
    let engine = replayed(&accounts, &rows);
    let text = read_released("journal-1.txt", || {
        summary(&accounts, &rows, &engine).into_bytes()
    });
    assert_eq!(summary(&accounts, &rows, &engine).into_bytes(), text);
}

/// A snapshot as an earlier release has written it, of the released journal.
#[test]
fn i15_the_released_snapshot_is_read_as_it_was() {
    let journal = read_released("journal-1.bin", Vec::new);
    let (accounts, rows) = codec::read(&journal).unwrap();
    // Somewhere inside: what follows is its tail.
    let cut = 1 + rows.iter().rposition(|row| row.last && row.id <= 6_000).unwrap();
    let named = rows[..cut].iter().flat_map(|row| [row.debit, row.credit]);
    let opened = named.max().unwrap() as usize;
    let (before, last) = (&rows[..cut], &rows[cut - 1]);
    let bytes = read_released("snapshot-1.bin", || {
        let last = LastRow {
            id: last.id,
            command: last.command,
            fingerprint: last.fingerprint,
        };
        replayed(&accounts[..opened], before).to_snapshot(last)
    });
    let snapshot = Snapshot::read(&bytes).unwrap();
    assert_eq!((snapshot.last.id, snapshot.last.command), (last.id, last.command));
    let mut engine = snapshot.engine;
    assert_eq!(
        engine.state_hash(),
        replayed(&accounts[..opened], before).state_hash()
    );
    for account in &accounts[opened..] {
        engine.replay_account(account).unwrap();
    }
    for row in &rows[cut..] {
        engine.replay(row).unwrap();
    }
    assert_eq!(engine.state_hash(), replayed(&accounts, &rows).state_hash());
}

#[test]
fn the_last_market_that_may_be_comes_back_and_none_beyond_it_or_twice() {
    let (mut engine, mut batch) = (Engine::new(0), Batch::default());
    let command = Desk::new(SIZES).command(Action::CreateMarket {
        market: MarketId(MarketId::MAX),
        spec: spec(),
    });
    assert!(engine.apply(&command, &mut batch).is_applied());
    let made = &batch.rows[0];
    let replay = |change: &dyn Fn(&mut JournalRow)| {
        let mut engine = replayed(&batch.accounts, &[]);
        let mut row = made.clone();
        change(&mut row);
        engine.replay(&row).map(|()| engine)
    };
    let mut again = replay(&|_| {}).unwrap();
    let twice = JournalRow {
        id: made.id + 1,
        ..made.clone()
    };
    assert_eq!(again.replay(&twice), Err(ReplayError::NoMarket(twice.id)));
    let beyond = MarketId(MarketId::MAX + 1);
    let refused = replay(&|row| row.order.as_mut().unwrap().market = beyond);
    assert_eq!(refused.err(), Some(ReplayError::NoMarket(made.id)));

    let view = engine.drain_order_changes().markets.remove(0);
    let mut restore = Restore::new(0, from_micros(0));
    let accounts = batch.accounts.iter().map(|account| Ok((*account, 0, 0)));
    restore.accounts::<ReplayError>(accounts).unwrap();
    restore.market(&view).unwrap();
    assert_eq!(restore.market(&view), Err(ReplayError::ProjectedMarket(view.id)));
    let view = MarketView { id: beyond, ..view };
    assert_eq!(restore.market(&view), Err(ReplayError::ProjectedMarket(beyond)));
}
