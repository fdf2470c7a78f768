//! The ledger by itself. What it decides is held by the tests of `domain/engine`, against journals and their replay.

use ferrex_ids::HoldId;
use ferrex_money::AssetId;
use uuid::Uuid;

use crate::{
    Account, AccountId, AccountKey, AccountState, Changes, Hold, HoldState, Impossible, Ledger, Purpose,
};

const EURO: AssetId = AssetId(1);
const COINS: AccountId = AccountId(1);
const ALICE: AccountId = AccountId(2);

const fn key(account: Account) -> AccountKey {
    AccountKey { account, asset: EURO }
}

fn coins() -> AccountKey {
    key(Account::house(Purpose::DepositAddresses))
}

fn wallet(person: u128) -> AccountKey {
    key(Account::wallet(Uuid::from_u128(person)))
}

fn name(number: u128) -> HoldId {
    HoldId::from_uuid(Uuid::from_u128(number))
}

const fn state(id: AccountId, total: u128, held: u128) -> AccountState {
    AccountState { id, total, held }
}

/// Alice has 100, of which 30 are held.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.begin();
    ledger.transfer(coins(), wallet(1), 100).unwrap();
    ledger.reserve(name(1), wallet(1), 30, None).unwrap();
    ledger.commit();
    ledger
}

#[test]
fn what_has_changed_is_told_once_and_again_when_it_was_not_stored() {
    let mut ledger = ledger();
    let changes = ledger.drain_changes();
    let hold = HoldState {
        id: name(1),
        account: ALICE,
        left: 30,
        expires_at: None,
        closed: false,
    };
    let [block] = &changes.accounts[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(block.first(), COINS);
    assert!(block.states().eq([state(COINS, 100, 0), state(ALICE, 100, 30)]));
    assert_eq!(changes.holds, [hold]);
    assert!(!changes.is_empty());
    assert!(ledger.drain_changes().is_empty());
    ledger.mark_changed(&changes);
    assert_eq!(ledger.drain_changes(), changes);
    let accounts_alone = Changes {
        holds: vec![],
        ..changes
    };
    assert!(!accounts_alone.is_empty());
}

#[test]
fn accounts_and_holds_are_listed_and_counted() {
    let mut ledger = ledger();
    let all: Vec<_> = ledger.accounts().collect();
    assert_eq!(
        all,
        [
            (coins(), state(COINS, 100, 0)),
            (wallet(1), state(ALICE, 100, 30))
        ]
    );
    assert!(!ledger.freeze_accounts().is_empty() && Ledger::default().freeze_accounts().is_empty());
    assert_eq!((ledger.hold_count(), ledger.closed_holds()), (1, vec![]));
    ledger.reserve(name(2), wallet(1), 5, None).unwrap();
    assert_eq!(ledger.hold_count(), 2);
    for hold in [1, 2] {
        ledger.release(name(hold)).unwrap();
    }
    assert_eq!(ledger.hold_count(), 0);
    assert_eq!(ledger.closed_holds(), [(name(1), ALICE), (name(2), ALICE)]);
}

#[test]
fn a_unit_of_work_is_taken_back_alone() {
    let mut ledger = ledger();
    ledger.transfer(coins(), wallet(2), 7).unwrap();
    // What was begun and neither kept nor taken back stays.
    ledger.begin();
    ledger.transfer(coins(), wallet(2), 1).unwrap();
    ledger.rollback();
    assert_eq!(ledger.account(AccountId(3)), Some(state(AccountId(3), 7, 0)));
}

/// A ledger as a projection has it: an account of Alice, and a hold of 4 on it.
fn restored(total: u128, held: u128) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.restore_account(state(COINS, 10, 0), coins()).unwrap();
    ledger
        .restore_account(state(ALICE, total, held), wallet(1))
        .unwrap();
    ledger.index_accounts().unwrap();
    let hold = HoldState {
        id: name(1),
        account: ALICE,
        left: 4,
        expires_at: None,
        closed: false,
    };
    ledger.restore_hold(hold).unwrap();
    ledger
}

#[test]
fn a_restored_state_agrees_with_itself() {
    let wrong = Err(Impossible::BalanceRange(ALICE.0));
    assert_eq!(restored(10, 4).check([]), Ok(()));
    assert_eq!(restored(4, 4).check([]), Ok(()));
    assert_eq!(restored(10, 6).check([(ALICE, 2)]), Ok(()));
    assert_eq!(restored(10, 5).check([]), wrong, "more than its holds");
    assert_eq!(restored(10, 4).check([(ALICE, 2)]), wrong, "less than its orders");
    assert_eq!(restored(3, 4).check([]), wrong, "more than it has");
    assert_eq!(restored(10, 4).check([(ALICE, u128::MAX), (ALICE, 1)]), wrong);
    assert_eq!(
        restored(10, 4).check([(ALICE, u128::MAX)]),
        Err(Impossible::HoldAmount(name(1)))
    );
}

#[test]
fn a_replay_takes_no_more_than_is_there() {
    let hold = |left| Hold {
        id: name(2),
        account: ALICE,
        left,
        expires_at: None,
    };
    let wrong = Err(Impossible::BalanceRange(ALICE.0));
    assert_eq!(ledger().replay_reserve(hold(71)), wrong);
    assert_eq!(ledger().replay_reserve(hold(70)), Ok(()));
    assert_eq!(ledger().replay_release(name(1), 30), Ok(()));
    assert_eq!(ledger().replay_post(name(1), COINS, 30), Ok(()));
    // Rows about orders that are wrong have given back a part of what the hold has set aside.
    let mut damaged = ledger();
    damaged.give_back(ALICE, 1).unwrap();
    assert_eq!(damaged.replay_release(name(1), 30), wrong);
    assert_eq!(damaged.replay_post(name(1), COINS, 30), wrong);
    assert_eq!(damaged.replay_post(name(1), COINS, 29), Ok(()));
}

#[test]
fn an_asset_of_which_too_much_came_in_is_known() {
    let mut ledger = Ledger::default();
    let (coins, alice) = (ledger.open_account(coins()), ledger.open_account(wallet(1)));
    let hot = ledger.open_account(key(Account::house(Purpose::HotWallet)));
    let bob = ledger.open_account(wallet(2));
    ledger.replay_transfer(coins, alice, u128::MAX).unwrap();
    assert!(!ledger.is_overissued(EURO));
    ledger.replay_transfer(hot, bob, 1).unwrap();
    assert!(ledger.is_overissued(EURO));
}
