//! The rules of the engine one by one.

use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, AccountKey, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::{Timestamp, from_micros};
use uuid::Uuid;

use crate::{Action, Batch, Command, Engine, Outcome, Reason, Refusal, ReplayError, Rest, RowKind, Step};

const USER: Uuid = Uuid::from_u128(0xa11ce);
const EURO: AssetId = AssetId(1);

struct Desk {
    engine: Engine,
    journal: Batch,
    last_id: u128,
}

impl Desk {
    fn new() -> Self {
        Self {
            engine: Engine::new(0),
            journal: Batch::default(),
            last_id: 0,
        }
    }

    fn send(&mut self, steps: Vec<Step>) -> Result<(), Refusal> {
        self.last_id += 1;
        let command = Command {
            id: CommandId::from_uuid(Uuid::from_u128(self.last_id)),
            at: from_micros(100),
            reason: Reason::Deposit,
            reference: USER,
            action: Action::Transfer(steps),
        };
        match self.engine.apply(&command, &mut self.journal) {
            Outcome::Applied { .. } => Ok(()),
            Outcome::Refused { refusal, .. } => Err(refusal),
        }
    }

    fn deposit(&mut self, amount: u128) -> Result<(), Refusal> {
        self.send(vec![deposit(amount)])
    }

    fn wallet(&self) -> (u128, u128) {
        let key = AccountKey {
            account: Account::wallet(USER),
            asset: EURO,
        };
        self.engine
            .balance(&key)
            .map_or((0, 0), |balance| (balance.total.units(), balance.held.units()))
    }
}

fn deposit(amount: u128) -> Step {
    Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(USER),
        asset: EURO,
        amount: Amount::new(amount),
    }
}

fn name(id: u128) -> HoldId {
    HoldId::from_uuid(Uuid::from_u128(id))
}

fn reserve(id: u128, amount: u128, expires_at: Option<i64>) -> Step {
    Step::Reserve {
        hold: name(id),
        debit: Account::wallet(USER),
        asset: EURO,
        amount: Amount::new(amount),
        expires_at: expires_at.map(from_micros),
    }
}

fn post(id: u128, amount: u128, rest: Rest) -> Step {
    Step::Post {
        hold: name(id),
        credit: Account::house(Purpose::Fees),
        amount: Amount::new(amount),
        rest,
    }
}

#[test]
fn the_time_of_a_row_is_that_of_the_command_in_whole_microseconds() {
    let mut desk = Desk::new();
    // The last is a leap second, which the database has as the second after it.
    for (number, nanos) in (1..).zip([5_000, 5_001, 5_999, 999_999_999, 1_000_000_000]) {
        let at = Timestamp::from_timestamp(1_483_228_799, nanos).unwrap();
        let command = Command {
            id: CommandId::from_uuid(Uuid::from_u128(number)),
            at,
            reason: Reason::Deposit,
            reference: USER,
            action: Action::Transfer(vec![deposit(1)]),
        };
        desk.engine.apply(&command, &mut desk.journal);
        let row = desk.journal.rows.last().unwrap();
        let whole = from_micros(1_483_228_799_000_000 + i64::from(nanos / 1_000));
        assert_eq!(
            (row.id, row.at),
            (u64::try_from(number).unwrap(), whole),
            "{at:?}"
        );
    }
}

#[test]
fn amounts_of_nothing_one_and_everything() {
    let mut desk = Desk::new();
    assert_eq!(desk.deposit(0), Err(Refusal::ZeroAmount));
    assert_eq!(desk.deposit(u128::MAX), Ok(()));
    assert_eq!(desk.deposit(1), Err(Refusal::BalanceOverflow));
    assert_eq!(desk.wallet(), (u128::MAX, 0));
    assert_eq!(desk.send(vec![reserve(1, u128::MAX, None)]), Ok(()));
    assert_eq!(
        desk.send(vec![reserve(2, 1, None)]),
        Err(Refusal::InsufficientAvailable)
    );
    assert_eq!(desk.send(vec![post(1, 1, Rest::Keep)]), Ok(()));
    assert_eq!(desk.wallet(), (u128::MAX - 1, u128::MAX - 1));
    assert_eq!(
        desk.send(vec![post(1, u128::MAX, Rest::Keep)]),
        Err(Refusal::HoldExceeded)
    );
    assert_eq!(desk.send(vec![Step::Void { hold: name(1) }]), Ok(()));
    assert_eq!(desk.wallet(), (u128::MAX - 1, 0));
}

#[test]
fn a_closed_hold_stays_closed_and_its_id_taken() {
    let mut desk = Desk::new();
    desk.deposit(100).unwrap();
    assert_eq!(
        desk.send(vec![Step::Void { hold: name(1) }]),
        Err(Refusal::HoldUnknown)
    );
    desk.send(vec![reserve(1, 60, None)]).unwrap();
    assert_eq!(desk.send(vec![reserve(1, 1, None)]), Err(Refusal::HoldExists));
    desk.send(vec![post(1, 10, Rest::Release)]).unwrap();
    assert_eq!(desk.wallet(), (90, 0));
    for step in [
        post(1, 1, Rest::Keep),
        Step::Void { hold: name(1) },
        Step::Expire { hold: name(1) },
    ] {
        assert_eq!(desk.send(vec![step]), Err(Refusal::HoldClosed));
    }
    assert_eq!(desk.send(vec![reserve(1, 1, None)]), Err(Refusal::HoldExists));
    let kinds: Vec<RowKind> = desk
        .journal
        .rows
        .iter()
        .filter(|row| row.refusal == 0)
        .map(|row| row.kind)
        .collect();
    assert_eq!(
        kinds,
        [RowKind::Move, RowKind::Reserve, RowKind::Post, RowKind::Void]
    );
}

#[test]
fn a_hold_expires_from_its_time_on_and_not_without_one() {
    let mut desk = Desk::new();
    desk.deposit(100).unwrap();
    desk.send(vec![
        reserve(1, 10, Some(101)),
        reserve(2, 10, Some(100)),
        reserve(3, 10, None),
    ])
    .unwrap();
    assert_eq!(desk.engine.expired_holds(from_micros(100), 10), [name(2)]);
    assert_eq!(desk.engine.expired_holds(from_micros(500), 1), [name(2)]);
    assert_eq!(
        desk.send(vec![Step::Expire { hold: name(1) }]),
        Err(Refusal::HoldNotExpired)
    );
    assert_eq!(desk.send(vec![Step::Expire { hold: name(2) }]), Ok(()));
    assert_eq!(
        desk.send(vec![Step::Expire { hold: name(3) }]),
        Err(Refusal::HoldNotExpired)
    );
    assert_eq!(desk.wallet(), (100, 20));
}

#[test]
fn a_command_whose_last_step_is_refused_leaves_nothing() {
    let mut desk = Desk::new();
    desk.deposit(10).unwrap();
    let hash = desk.engine.state_hash();
    let other = Account::wallet(Uuid::from_u128(0xb0b));
    let pay = Step::Move {
        debit: Account::wallet(USER),
        credit: other,
        asset: EURO,
        amount: Amount::new(4),
    };
    let steps = vec![reserve(1, 5, None), post(1, 5, Rest::Keep), pay.clone(), pay];
    assert_eq!(desk.send(steps), Err(Refusal::InsufficientAvailable));
    assert_eq!(desk.engine.state_hash(), hash);
    assert_eq!(
        desk.send(vec![Step::Void { hold: name(1) }]),
        Err(Refusal::HoldUnknown)
    );
    assert!(desk.engine.drain_changes().holds.is_empty());
}

#[test]
fn what_the_books_cannot_hold_is_refused_without_a_row() {
    let mut desk = Desk::new();
    let house = Account::house(Purpose::HotWallet);
    let amount = Amount::new(1);
    let cases = [
        (vec![], Refusal::StepCount),
        (vec![deposit(1); 65], Refusal::StepCount),
        (
            vec![Step::Move {
                debit: house,
                credit: house,
                asset: EURO,
                amount,
            }],
            Refusal::SameAccount,
        ),
        (
            vec![Step::Reserve {
                hold: name(1),
                debit: house,
                asset: EURO,
                amount,
                expires_at: None,
            }],
            Refusal::NotHoldable,
        ),
        (
            vec![Step::Move {
                debit: house,
                credit: Account::wallet(USER),
                asset: AssetId(1 << 31),
                amount,
            }],
            Refusal::AssetOutOfRange,
        ),
        (vec![reserve(1, 1, Some(-1))], Refusal::TimeOutOfRange),
    ];
    for (steps, refusal) in cases {
        assert_eq!(desk.send(steps), Err(refusal));
    }
    assert!(desk.journal.is_empty());
    desk.send(vec![deposit(1); 64]).unwrap();
    desk.send(vec![reserve(1, 9, None)]).unwrap();
    assert_eq!(
        desk.send(vec![post(1, 0, Rest::Release)]),
        Err(Refusal::ZeroAmount)
    );
    assert_eq!(desk.wallet(), (64, 9));
}

#[test]
fn another_body_under_a_known_id_is_refused() {
    let mut desk = Desk::new();
    desk.deposit(10).unwrap();
    desk.last_id = 0;
    assert_eq!(desk.deposit(11), Err(Refusal::IdReused));
    desk.last_id = 0;
    assert_eq!(desk.deposit(10), Ok(()));
    assert_eq!(desk.wallet(), (10, 0));
    let known = desk.engine.known(CommandId::from_uuid(Uuid::from_u128(1)));
    let row = &desk.journal.rows[0];
    assert_eq!(
        known.map(|known| (known.fingerprint, known.outcome)),
        Some((row.fingerprint, Outcome::Applied { sequence: row.id }))
    );
}

#[test]
fn numbers_of_reasons_are_read_back_and_others_are_none() {
    for code in 0..=u16::MAX {
        let reason = Reason::from_code(code);
        assert_eq!(reason.is_some(), (1..=13).contains(&code), "{code}");
        assert!(reason.is_none_or(|reason| reason.code() == code));
    }
}

#[test]
fn numbers_of_kinds_and_refusals_are_read_back() {
    for code in 0..=u8::MAX {
        let kind = RowKind::from_code(code);
        assert_eq!(kind.is_some(), (1..=15).contains(&code), "{code}");
        assert!(kind.is_none_or(|kind| kind.code() == code));
    }
    for refusal in Refusal::ALL {
        assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
    }
    assert!(Refusal::InsufficientAvailable.is_remembered());
    assert!(
        !Refusal::StepCount.is_remembered(),
        "it holds whatever the state is"
    );
}

#[test]
fn an_outcome_names_the_row_that_answers_for_it() {
    let mut desk = Desk::new();
    assert!(desk.journal.is_empty());
    desk.deposit(1).unwrap();
    assert!(!desk.journal.is_empty());
    desk.send(vec![deposit(1), deposit(2)]).unwrap();
    let applied = desk.engine.known(CommandId::from_uuid(Uuid::from_u128(2)));
    assert_eq!(applied.map(|known| known.outcome.sequence()), Some(3), "its last");
    desk.send(vec![reserve(1, 9, None)]).unwrap_err();
    let refused = desk.engine.known(CommandId::from_uuid(Uuid::from_u128(3)));
    assert_eq!(refused.map(|known| known.outcome.sequence()), Some(4));
    desk.journal.clear();
    assert!(desk.journal.is_empty());
}

#[test]
fn an_engine_knows_its_shard_and_whether_a_command_is_whole() {
    let mut desk = Desk::new();
    desk.send(vec![deposit(1), deposit(2)]).unwrap();
    assert_eq!(Engine::new(7).shard(), 7);
    let mut engine = Engine::new(0);
    for account in &desk.journal.accounts {
        engine.replay_account(account).unwrap();
    }
    assert!(engine.is_between_commands());
    engine.replay(&desk.journal.rows[0]).unwrap();
    assert!(!engine.is_between_commands());
    assert_eq!(engine.known_count(), 0, "a part of a command is no answer");
    engine.replay(&desk.journal.rows[1]).unwrap();
    assert!(engine.is_between_commands());
    assert_eq!(engine.known_count(), 1);
    let stray = Engine::new(7).replay_account(&desk.journal.accounts[0]);
    assert_eq!(stray, Err(ReplayError::Shard(desk.journal.accounts[0].id)));
}

#[test]
fn ids_before_the_window_are_looked_up_and_later_ones_are_not() {
    let mut desk = Desk::new();
    desk.deposit(10).unwrap();
    desk.send(vec![reserve(1, 5, None), post(1, 5, Rest::Keep)])
        .unwrap();
    let old = CommandId::from_uuid(Uuid::from_u128(1));
    desk.engine.drain_changes();
    desk.engine.forget_before(from_micros(1_000_000), 100);
    assert!(desk.engine.known(old).is_none() && desk.engine.needs_lookup(old));
    assert!(
        !desk
            .engine
            .needs_lookup(CommandId::from_uuid(crate::lowest_id_at(from_micros(1_000_000))))
    );
    let void = Command {
        id: old,
        at: from_micros(1),
        reason: Reason::WithdrawalRelease,
        reference: USER,
        action: Action::Transfer(vec![Step::Void { hold: name(1) }]),
    };
    assert_eq!(desk.engine.holds_to_look_up(&void).collect::<Vec<_>>(), [name(1)]);
    desk.engine.remember_closed(name(1), 1);
    assert_eq!(desk.engine.holds_to_look_up(&void).count(), 0);
    assert_eq!(
        desk.send(vec![Step::Void { hold: name(1) }]),
        Err(Refusal::HoldClosed)
    );
}

#[test]
fn a_full_window_keeps_the_newest_ids() {
    let mut desk = Desk::new();
    for _ in 0..10 {
        desk.deposit(1).unwrap();
    }
    desk.engine.drain_changes();
    desk.engine.forget_before(from_micros(0), 4);
    assert_eq!(desk.engine.known_count(), 4);
    assert!(desk.engine.needs_lookup(CommandId::from_uuid(Uuid::from_u128(6))));
    assert!(!desk.engine.needs_lookup(CommandId::from_uuid(Uuid::from_u128(7))));
}

#[test]
fn a_damaged_journal_is_not_replayed() {
    let mut desk = Desk::new();
    desk.deposit(10).unwrap();
    desk.send(vec![deposit(1), deposit(2)]).unwrap();
    let fresh = || {
        let mut engine = Engine::new(0);
        desk.journal
            .accounts
            .iter()
            .for_each(|account| engine.replay_account(account).unwrap());
        engine
    };
    let rows = &desk.journal.rows;
    assert!(fresh().replay(&rows[1]).is_err(), "a hole");
    let mut engine = fresh();
    engine.replay(&rows[0]).unwrap();
    assert!(engine.replay(&rows[0]).is_err(), "twice");
    engine.replay(&rows[1]).unwrap();
    let mut stranger = rows[2].clone();
    stranger.command = rows[0].command;
    assert!(engine.replay(&stranger).is_err(), "a command cut short");
    let mut unknown = rows[0].clone();
    unknown.credit = 9;
    assert!(fresh().replay(&unknown).is_err(), "an account nobody opened");
}
