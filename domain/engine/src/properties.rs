//! Random commands against the engine: money is conserved, nothing is negative, a replay comes to the same state.

use std::collections::HashMap;

use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, Normal, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_time::{Timestamp, from_micros};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{
    AccountBlock, Action, Batch, Command, Engine, HoldState, LastRow, Outcome, Reason, ReplayError, Rest,
    Restore, RowKind, Snapshot, Step,
};

fn account() -> impl Strategy<Value = Account> {
    let house = prop::sample::select(Purpose::ALL.to_vec()).prop_map(Account::house);
    prop_oneof![3 => (1u128..4).prop_map(|user| Account::wallet(Uuid::from_u128(user))), 2 => house]
}

fn amount() -> impl Strategy<Value = Amount> {
    let edges = prop_oneof![Just(0), Just(1), Just(u128::MAX), Just(u128::MAX - 1)];
    prop_oneof![8 => 1u128..1_000, 1 => edges, 1 => any::<u128>()].prop_map(Amount::new)
}

fn asset() -> impl Strategy<Value = AssetId> {
    (1u32..3).prop_map(AssetId)
}

fn hold() -> impl Strategy<Value = HoldId> {
    (1u128..12).prop_map(|id| HoldId::from_uuid(Uuid::from_u128(id)))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (0i64..1_000).prop_map(from_micros)
}

fn step() -> impl Strategy<Value = Step> {
    let rest = prop_oneof![Just(Rest::Keep), Just(Rest::Release)];
    // Money comes in often, so that the other steps find some.
    let deposit = ((1u128..4), asset(), amount()).prop_map(|(user, asset, amount)| Step::Move {
        debit: Account::house(Purpose::DepositAddresses),
        credit: Account::wallet(Uuid::from_u128(user)),
        asset,
        amount,
    });
    let moved =
        (account(), account(), asset(), amount()).prop_map(|(debit, credit, asset, amount)| Step::Move {
            debit,
            credit,
            asset,
            amount,
        });
    let reserve = (hold(), account(), asset(), amount(), prop::option::of(moment())).prop_map(
        |(hold, debit, asset, amount, expires_at)| Step::Reserve {
            hold,
            debit,
            asset,
            amount,
            expires_at,
        },
    );
    let post = (hold(), account(), amount(), rest).prop_map(|(hold, credit, amount, rest)| Step::Post {
        hold,
        credit,
        amount,
        rest,
    });
    let void = hold().prop_map(|hold| Step::Void { hold });
    let expire = hold().prop_map(|hold| Step::Expire { hold });
    prop_oneof![4 => deposit, 4 => moved, 4 => reserve, 4 => post, 1 => void, 1 => expire]
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let body = (1u128..200, moment(), prop::collection::vec(step(), 0..4));
    prop::collection::vec(body, 1..60).prop_map(|bodies| {
        let command = |(id, at, steps)| Command {
            id: CommandId::from_uuid(Uuid::from_u128(id)),
            at,
            reason: Reason::Transfer,
            reference: Uuid::from_u128(id),
            action: Action::Transfer(steps),
        };
        bodies.into_iter().map(command).collect()
    })
}

/// Debits equal credits in every asset, computed from balances alone.
fn assert_conserved(engine: &Engine) {
    let mut sums: HashMap<AssetId, (Vec<u128>, Vec<u128>)> = HashMap::new();
    for (key, state) in engine.ledger().accounts() {
        assert!(
            state.held <= state.total,
            "{key:?} has {} of {} held",
            state.held,
            state.total
        );
        let (debits, credits) = sums.entry(key.asset).or_default();
        match key.account.purpose.normal() {
            Normal::Debit => debits.push(state.total),
            Normal::Credit => credits.push(state.total),
        }
    }
    // Wrapping sums: both sides are equal numbers, so they are equal modulo 2^128, whatever their size.
    let sum = |side: &[u128]| side.iter().fold(0u128, |sum, part| sum.wrapping_add(*part));
    for (asset, (debits, credits)) in sums {
        assert_eq!(sum(&debits), sum(&credits), "{asset:?}");
    }
    assert_eq!(engine.ledger().check([]), Ok(()));
}

fn play(commands: &[Command]) -> (Engine, Batch, Vec<Outcome>) {
    let (mut engine, mut journal) = (Engine::new(0), Batch::default());
    let outcomes = commands
        .iter()
        .map(|command| engine.apply(command, &mut journal))
        .collect();
    (engine, journal, outcomes)
}

/// The state that a journal leads to.
fn replay(journal: &Batch) -> Engine {
    let mut engine = Engine::new(0);
    for account in &journal.accounts {
        engine.replay_account(account).unwrap();
    }
    for row in &journal.rows {
        engine.replay(row).unwrap();
    }
    engine
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn i01_i05_money_is_conserved_and_nothing_is_negative(commands in commands()) {
        let (mut engine, mut journal) = (Engine::new(0), Batch::default());
        for command in &commands {
            engine.apply(command, &mut journal);
            assert_conserved(&engine);
        }
    }

    #[test]
    fn a_refusal_changes_nothing_but_the_sequence(commands in commands()) {
        let (mut engine, mut journal) = (Engine::new(0), Batch::default());
        for command in &commands {
            let before = (engine.state_hash(), engine.sequence(), journal.clone());
            let outcome = engine.apply(command, &mut journal);
            if let Outcome::Refused { sequence, refusal } = outcome {
                prop_assert_eq!(engine.state_hash(), before.0);
                prop_assert_eq!(&journal.accounts, &before.2.accounts);
                let remembered = journal.rows.len() - before.2.rows.len();
                prop_assert_eq!(engine.sequence(), before.1 + remembered as u64);
                prop_assert!(refusal.is_remembered() || remembered == 0);
                prop_assert!((remembered == 1) == (sequence > before.1));
            }
        }
    }

    #[test]
    fn the_same_id_has_the_same_answer(commands in commands()) {
        let (mut engine, mut journal, outcomes) = play(&commands);
        let (hash, rows) = (engine.state_hash(), journal.rows.len());
        for (command, outcome) in commands.iter().zip(&outcomes) {
            let again = engine.apply(command, &mut journal);
            // An id that came with several bodies belongs to the first that was remembered.
            if outcome.sequence() > 0 {
                prop_assert_eq!(again, *outcome);
            } else {
                prop_assert!(!again.is_applied() || engine.known(command.id).is_some());
            }
        }
        prop_assert_eq!(engine.state_hash(), hash);
        prop_assert_eq!(journal.rows.len(), rows);
    }

    #[test]
    fn i15_a_replay_comes_to_the_same_state(commands in commands()) {
        let (engine, journal, _) = play(&commands);
        let replayed = replay(&journal);
        prop_assert_eq!(replayed.state_hash(), engine.state_hash());
        prop_assert_eq!(replayed.sequence(), engine.sequence());
        for command in &commands {
            prop_assert_eq!(replayed.known(command.id), engine.known(command.id));
        }
    }

    #[test]
    fn i15_deciding_again_comes_to_the_same_rows(commands in commands()) {
        let (_, journal, outcomes) = play(&commands);
        let (_, journal_again, outcomes_again) = play(&commands);
        prop_assert_eq!(journal, journal_again);
        prop_assert_eq!(outcomes, outcomes_again);
    }

    #[test]
    fn i15_a_projection_and_the_tail_come_to_the_same_state(commands in commands(), cut in 0usize..60) {
        let cut = cut.min(commands.len());
        let (mut engine, mut journal) = (Engine::new(0), Batch::default());
        let mut balances: HashMap<u32, (u128, u128)> = HashMap::new();
        let mut holds: HashMap<HoldId, HoldState> = HashMap::new();
        for (place, command) in commands[..cut].iter().enumerate() {
            engine.apply(command, &mut journal);
            if place % 3 == 0 || place + 1 == cut {
                let changes = engine.drain_changes();
                let states = changes.accounts.iter().flat_map(AccountBlock::states);
                balances.extend(states.map(|state| (state.id.0, (state.total, state.held))));
                holds.extend(changes.holds.iter().map(|hold| (hold.id, *hold)));
            }
        }
        let (at, opened) = (engine.sequence(), journal.accounts.len());
        for command in &commands[cut..] {
            engine.apply(command, &mut journal);
        }
        let mut restore = Restore::new(0, from_micros(0));
        let accounts = journal.accounts[..opened].iter().map(|account| {
            let (total, held) = balances.get(&account.id).copied().unwrap_or_default();
            Ok((*account, total, held))
        });
        restore.accounts::<ReplayError>(accounts).unwrap();
        for hold in holds.values() {
            restore.hold(*hold).unwrap();
        }
        for row in journal.rows.iter().filter(|row| row.last && row.id <= at) {
            restore.known(row.command, row.fingerprint, row.id, row.refusal).unwrap();
        }
        let mut restored = restore.finish(at).unwrap();
        for account in &journal.accounts[opened..] {
            restored.replay_account(account).unwrap();
        }
        for row in journal.rows.iter().filter(|row| row.id > at) {
            restored.replay(row).unwrap();
        }
        prop_assert_eq!(restored.state_hash(), engine.state_hash());
        for id in 1..12 {
            let hold = HoldId::from_uuid(Uuid::from_u128(id));
            prop_assert_eq!(restored.ledger().is_closed(hold), engine.ledger().is_closed(hold));
        }
    }

    #[test]
    fn f048_a_snapshot_leads_to_the_same_state_and_the_same_answers(
        commands in commands(), cut in 0usize..60, window in 0usize..40,
    ) {
        let cut = cut.min(commands.len());
        let (mut engine, mut journal, _) = play(&commands[..cut]);
        // Ids before the window are forgotten, in the snapshot too.
        engine.drain_changes();
        engine.forget_before(from_micros(0), window);
        let Some(row) = journal.rows.last() else { return Ok(()) };
        let last = LastRow { id: row.id, command: row.command, fingerprint: row.fingerprint };
        let bytes = engine.to_snapshot(last);
        let snapshot = Snapshot::read(&bytes).unwrap();
        prop_assert_eq!(snapshot.last, last);
        prop_assert_eq!(snapshot.engine.to_snapshot(last), bytes);
        let mut loaded = snapshot.engine;
        prop_assert!(loaded.drain_changes().is_empty());
        let mut again = Batch::default();
        journal.clear();
        for command in &commands {
            prop_assert_eq!(loaded.needs_lookup(command.id), engine.needs_lookup(command.id));
            let expected = engine.apply(command, &mut journal);
            prop_assert_eq!(loaded.apply(command, &mut again), expected);
        }
        prop_assert_eq!(journal, again);
        prop_assert_eq!(loaded.state_hash(), engine.state_hash());
        prop_assert_eq!(loaded.drain_changes(), engine.drain_changes());
    }

    #[test]
    fn f048_a_frozen_state_stays_as_it_was_whatever_is_decided_and_forgotten_after_it(
        commands in commands(), cut in 0usize..60, window in 0usize..40,
    ) {
        let cut = cut.min(commands.len());
        let (mut engine, mut journal, _) = play(&commands[..cut]);
        let Some(row) = journal.rows.last() else { return Ok(()) };
        let last = LastRow { id: row.id, command: row.command, fingerprint: row.fingerprint };
        let (frozen, bytes) = (engine.freeze(), engine.to_snapshot(last));
        for command in &commands[cut..] {
            engine.apply(command, &mut journal);
        }
        engine.drain_changes();
        engine.forget_before(from_micros(0), window);
        prop_assert_eq!(frozen.sequence(), last.id);
        prop_assert_eq!(frozen.to_snapshot(last), bytes);
        // The pages that were shared are the engine's own again, with all that came.
        drop(frozen);
        prop_assert_eq!(replay(&journal).state_hash(), engine.state_hash());
    }

    #[test]
    fn a_hold_is_never_given_out_twice(commands in commands()) {
        let (_, journal, _) = play(&commands);
        let mut left: HashMap<HoldId, Option<u128>> = HashMap::new();
        for row in &journal.rows {
            let Some(id) = row.hold else { continue };
            match row.kind {
                RowKind::Reserve => prop_assert!(left.insert(id, Some(row.amount)).is_none(), "{id} twice"),
                RowKind::Post => {
                    let rest = left[&id].and_then(|left| left.checked_sub(row.amount));
                    prop_assert!(rest.is_some(), "{id} gave more than it had");
                    left.insert(id, rest.filter(|rest| *rest > 0));
                }
                RowKind::Void | RowKind::Expire => {
                    prop_assert_eq!(left[&id], Some(row.amount));
                    left.insert(id, None);
                }
                _ => prop_assert!(false, "{:?} has a hold", row.kind),
            }
        }
    }
}
