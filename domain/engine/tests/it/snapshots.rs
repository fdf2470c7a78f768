//! Snapshots: they lead to the same state and the same future, and nothing else is taken for one.

use ferrex_engine_core::{AccountRow, Engine, LastRow, ReplayError, Restore, Snapshot, SnapshotError};
use ferrex_ledger::{Account, AccountKey, Owner};
use ferrex_money::AssetId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::generator::{Random, Stream};
use crate::support::{Desk, SIZES, scaled};

/// The row that the desk's last command ended with.
fn last(desk: &Desk) -> LastRow {
    let row = desk.batch.rows.last().expect("the last command wrote a row");
    LastRow {
        id: row.id,
        command: row.command,
        fingerprint: row.fingerprint,
    }
}

/// Plays until the last of at least `count` commands has written a row; answers the desk and its snapshot.
fn played(seed: u64, count: u64) -> (Stream, Desk, Vec<u8>) {
    let mut stream = Stream::new(seed);
    let mut desk = Desk::new(SIZES);
    for turn in 0.. {
        let _ = stream.next(&mut desk);
        if turn >= count && !desk.batch.rows.is_empty() {
            break;
        }
    }
    let bytes = desk.engine.to_snapshot(last(&desk));
    (stream, desk, bytes)
}

fn read(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    Snapshot::read_with_sizes(bytes, SIZES)
}

#[test]
fn a_snapshot_is_read_back_to_the_bit() {
    for seed in 1..=6 {
        let (_, desk, bytes) = played(seed, 4_000);
        let read = read(&bytes).unwrap();
        assert_eq!(read.last, last(&desk));
        assert_eq!(read.engine.sequence(), desk.engine.sequence());
        assert_eq!(read.engine.state_hash(), desk.engine.state_hash());
        assert_eq!(read.engine.known_count(), desk.engine.known_count());
        assert_eq!(read.engine.window_start(), desk.engine.window_start());
        assert_eq!(read.engine.to_snapshot(read.last), bytes);
    }
}

/// So large that the checksum is looked at, and the two tables of accounts are filled, on a thread beside.
#[test]
fn h059_a_large_snapshot_is_read_as_a_small_one_and_refused_as_one() {
    const ACCOUNTS: u32 = 200_000;
    let owner = |number: u32| Uuid::from_u128(u128::from(number % (ACCOUNTS / 2)));
    let key = |number: u32| AccountKey {
        account: Account::wallet(owner(number)),
        asset: AssetId(1 + number / (ACCOUNTS / 2)),
    };
    let mut restore = Restore::new(0, ferrex_time::from_micros(0));
    let accounts = (0..ACCOUNTS).map(|number| {
        let (id, shard, key) = (number + 1, 0, key(number));
        Ok::<_, ReplayError>((AccountRow { id, shard, key }, 0, 0))
    });
    restore.accounts(accounts).unwrap();
    let engine = restore.finish(1).unwrap();
    let last = LastRow {
        id: 1,
        command: ferrex_ids::CommandId::from_uuid(Uuid::from_u128(1)),
        fingerprint: 1,
    };
    let mut bytes = engine.to_snapshot(last);
    assert!(bytes.len() > 4 << 20, "{} bytes", bytes.len());
    let read = Snapshot::read(&bytes).unwrap();
    assert_eq!(read.engine.state_hash(), engine.state_hash());
    for number in (0..ACCOUNTS).step_by(9_973) {
        let theirs = read.engine.balances(&Owner::User(owner(number)));
        let keys: Vec<AccountKey> = theirs.iter().map(|balance| balance.key).collect();
        let other = (number + ACCOUNTS / 2) % ACCOUNTS;
        assert_eq!(keys, [key(number.min(other)), key(number.max(other))]);
    }
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    assert_eq!(Snapshot::read(&bytes).unwrap_err(), SnapshotError::Checksum);
}

/// Every thousand commands the replica, and once in a while the deciding engine itself, is replaced by what a snapshot of it
/// leads to; the oracle's comparison goes on.
#[test]
fn f048_i15_snapshot_and_tail_come_to_the_state_of_the_journal_alone() {
    for seed in 11..=14 {
        let (mut stream, mut desk) = (Stream::new(seed), Desk::new(SIZES));
        let mut rows = Vec::new();
        let mut accounts = Vec::new();
        let mut taken: Option<Vec<u8>> = None;
        for turn in 1..=scaled(20_000) {
            let _ = stream.next(&mut desk);
            rows.extend(desk.batch.rows.iter().cloned());
            accounts.extend(desk.batch.accounts.iter().copied());
            if turn % 1_000 >= 500 && !desk.batch.rows.is_empty() && taken.is_none() {
                taken = Some(desk.engine.to_snapshot(last(&desk)));
            }
            if turn % 1_000 == 0 {
                // The snapshot of a while ago and the rows since.
                let mut loaded = read(&taken.take().unwrap()).unwrap().engine;
                let at = (loaded.sequence(), loaded.ledger().account_count());
                for account in &accounts[at.1..] {
                    loaded.replay_account(account).unwrap();
                }
                for row in rows.iter().filter(|row| row.id > at.0) {
                    loaded.replay(row).unwrap();
                }
                assert_eq!(
                    loaded.state_hash(),
                    desk.engine.state_hash(),
                    "seed {seed}, {turn}"
                );
                desk.replica = loaded;
            }
            if turn % 3_000 < 500 && turn % 7 == 0 && !desk.batch.rows.is_empty() {
                desk.engine = read(&desk.engine.to_snapshot(last(&desk))).unwrap().engine;
            }
        }
        let mut journal_alone = Engine::new(0);
        journal_alone.set_book_sizes(SIZES);
        for account in &accounts {
            journal_alone.replay_account(account).unwrap();
        }
        for row in &rows {
            journal_alone.replay(row).unwrap();
        }
        assert_eq!(journal_alone.state_hash(), desk.engine.state_hash());
        desk.check();
    }
}

#[test]
fn h059_an_empty_snapshot_is_refused() {
    assert_eq!(read(&[]).unwrap_err(), SnapshotError::Empty);
}

#[test]
fn h059_a_snapshot_cut_anywhere_is_refused() {
    let (_, _, bytes) = played(21, 300);
    for length in 1..bytes.len() {
        let error = read(&bytes[..length]).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Length { .. } | SnapshotError::Foreign),
            "{length} of {}: {error:?}",
            bytes.len()
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(read(&longer), Err(SnapshotError::Length { .. })));
}

#[test]
fn h059_a_snapshot_with_one_bit_flipped_anywhere_is_refused() {
    let (_, _, bytes) = played(22, 300);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn h059_a_snapshot_of_a_foreign_format_is_refused() {
    let (_, _, bytes) = played(23, 300);
    assert_eq!(read(&[0; 4096]).unwrap_err(), SnapshotError::Foreign);
    assert_eq!(
        read(b"PGDMP and what follows").unwrap_err(),
        SnapshotError::Foreign
    );
    let mut newer = bytes;
    newer[8] = 2;
    assert_eq!(read(&newer).unwrap_err(), SnapshotError::Version(2));
}

/// With the checksum made right again: what the engine could not have written is refused, and whatever is taken is exactly
/// what its bytes say.
#[test]
fn h059_a_snapshot_forged_with_its_checksum_is_refused_or_says_what_it_is() {
    let (_, desk, bytes) = played(24, 300);
    let mut random = Random(24);
    let mut refused = std::collections::BTreeMap::new();
    for _ in 0..scaled(40_000) {
        let mut forged = bytes.clone();
        let end = forged.len() - 32;
        for _ in 0..=random.below(2) {
            let at = usize::try_from(18 + random.below(end as u64 - 18)).unwrap();
            forged[at] = u8::try_from(random.below(256)).unwrap();
        }
        let checksum = Sha256::digest(&forged[..end]);
        forged[end..].copy_from_slice(&checksum);
        match read(&forged) {
            Ok(snapshot) => {
                assert_eq!(snapshot.engine.to_snapshot(snapshot.last), forged);
                assert_eq!(snapshot.engine.state_hash(), desk.engine.state_hash());
            }
            Err(error) => {
                let error = format!("{error:?}");
                let kind = error.split([' ', '(']).next().unwrap();
                *refused.entry(kind.to_owned()).or_insert(0) += 1;
            }
        }
    }
    for kind in ["Value", "State", "StateHash"] {
        assert!(refused.contains_key(kind), "{refused:?}");
    }
}
