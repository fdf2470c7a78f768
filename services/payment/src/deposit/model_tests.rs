use ferrex_time::from_micros;
use proptest::prelude::*;

use super::*;

fn at() -> Timestamp {
    from_micros(1_700_000_000_000_000)
}

fn deposit(user: bool) -> State {
    State::new(Facts {
        deposit: DepositId::new_at(1_700_000_000_000),
        user: user.then(|| UserId::new_at(1)),
        asset: AssetId(1),
        symbol: "ETH".into(),
        decimals: Decimals::try_new(18).unwrap(),
        amount: Amount::new(100),
        confirmations_needed: 3,
    })
}

fn seen(height: u64) -> Input {
    Input::Seen {
        height,
        amount: Amount::new(100),
    }
}

fn submitted(turn: &Turn<State, Action, Event>) -> Command {
    turn.actions
        .iter()
        .find_map(|action| match action {
            Action::Submit(command) => Some((**command).clone()),
            _ => None,
        })
        .expect("a command")
}

fn steps(command: &Command) -> &[Step] {
    let EngineAction::Transfer(steps) = &command.action else {
        unreachable!("withdrawals and deposits send transfers only")
    };
    steps
}

fn applied(command: &Command) -> Input {
    Input::Answered {
        command: command.id,
        outcome: Outcome::Applied { sequence: 1 },
    }
}

fn refused(command: &Command, refusal: Refusal) -> Input {
    Input::Answered {
        command: command.id,
        outcome: Outcome::Refused { sequence: 1, refusal },
    }
}

fn credited() -> State {
    let state = deposit(true).step(&seen(5), at()).state;
    let state = state.step(&Input::Confirmed, at()).state;
    let turn = state.step(&Input::Debt { owed: Amount::ZERO }, at());
    let command = submitted(&turn);
    turn.state.step(&applied(&command), at()).state
}

#[test]
fn i09_nothing_is_credited_before_it_is_confirmed() {
    let turn = deposit(true).step(&seen(5), at());
    assert_eq!((turn.state.label(), turn.actions.len()), ("confirming", 0));
    assert_eq!(turn.events, [Event::Seen]);
    let again = turn.state.step(&seen(6), at());
    assert_eq!(again.events, [], "a move to another block is not told again");
}

#[test]
fn a_confirmed_deposit_is_credited_once() {
    let state = credited();
    assert_eq!(state.label(), "credited");
    for late in [
        Input::Confirmed,
        Input::Wake,
        Input::Debt { owed: Amount::new(5) },
    ] {
        let turn = state.step(&late, at());
        assert_eq!(
            (turn.actions.len(), turn.events.len(), turn.state.label()),
            (0, 0, "credited"),
            "{late:?}"
        );
    }
}

#[test]
fn h001_a_credit_without_its_block_is_taken_back_and_the_rest_becomes_a_debt() {
    let turn = credited().step(&Input::Gone, at());
    assert_eq!(turn.state.label(), "reversing");
    let turn = turn.state.step(
        &Input::Available {
            available: Amount::new(30),
        },
        at(),
    );
    let command = submitted(&turn);
    let amounts: Vec<_> = steps(&command)
        .iter()
        .map(|step| match step {
            Step::Move { debit, amount, .. } => (debit.purpose, amount.units()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(amounts, [(Purpose::Wallet, 30), (Purpose::Debt, 70)]);
    let turn = turn.state.step(&applied(&command), at());
    assert_eq!(
        turn.events,
        [Event::Reversed {
            owed: Amount::new(70)
        }]
    );
    assert_eq!(turn.state.label(), "reversed");
}

#[test]
fn h001_money_spent_while_it_is_taken_back_is_looked_at_again_under_a_new_command() {
    let turn = credited().step(&Input::Gone, at());
    let turn = turn.state.step(
        &Input::Available {
            available: Amount::new(100),
        },
        at(),
    );
    let first = submitted(&turn);
    let turn = turn
        .state
        .step(&refused(&first, Refusal::InsufficientAvailable), at());
    assert!(matches!(turn.actions[..], [Action::ReadAvailable { .. }]));
    let turn = turn.state.step(
        &Input::Available {
            available: Amount::ZERO,
        },
        at(),
    );
    let second = submitted(&turn);
    assert_ne!(first.id, second.id);
    assert_eq!(steps(&second).len(), 1);
}

#[test]
fn h001_a_reorganisation_during_the_credit_waits_for_its_outcome() {
    let state = deposit(true).step(&seen(5), at()).state;
    let state = state.step(&Input::Confirmed, at()).state;
    let turn = state.step(&Input::Debt { owed: Amount::ZERO }, at());
    let command = submitted(&turn);
    let gone = turn.state.step(&Input::Gone, at());
    assert_eq!((gone.state.label(), gone.actions.len()), ("crediting", 0));
    let turn = gone.state.step(&applied(&command), at());
    assert_eq!(turn.events, [Event::Credited]);
    assert!(
        matches!(turn.actions[..], [Action::ReadAvailable { .. }]),
        "and is then taken back"
    );
}

#[test]
fn h002_a_deposit_mined_again_is_credited_again_under_another_command() {
    let state = credited();
    let turn = state.step(&Input::Gone, at());
    let turn = turn.state.step(
        &Input::Available {
            available: Amount::new(100),
        },
        at(),
    );
    let reversal = submitted(&turn);
    let state = turn.state.step(&applied(&reversal), at()).state;
    let turn = state.step(&seen(9), at());
    assert_eq!((turn.state.label(), turn.events.len()), ("confirming", 0));
    let turn = turn.state.step(&Input::Confirmed, at());
    let turn = turn.state.step(
        &Input::Debt {
            owed: Amount::new(40),
        },
        at(),
    );
    let second = submitted(&turn);
    assert_eq!(steps(&second).len(), 2, "the debt is repaid from it");
    assert_eq!(turn.state.step(&applied(&second), at()).state.label(), "credited");
}

#[test]
fn h002_a_contract_that_pays_another_amount_in_another_block_is_credited_what_it_pays_there() {
    let turn = credited().step(&Input::Gone, at());
    // Seen again before the reversal of the first amount is through.
    let turn = turn.state.step(
        &Input::Seen {
            height: 9,
            amount: Amount::new(60),
        },
        at(),
    );
    let turn = turn.state.step(
        &Input::Available {
            available: Amount::new(500),
        },
        at(),
    );
    let reversal = submitted(&turn);
    assert!(matches!(steps(&reversal), [Step::Move { amount, .. }] if amount.units() == 100));
    let turn = turn.state.step(&applied(&reversal), at());
    let turn = turn.state.step(&Input::Confirmed, at());
    let turn = turn.state.step(&Input::Debt { owed: Amount::ZERO }, at());
    assert!(matches!(steps(&submitted(&turn)), [Step::Move { amount, .. }] if amount.units() == 60));
}

#[test]
fn a_dropped_deposit_stays_without_credit() {
    let state = deposit(true).step(&seen(5), at()).state;
    let turn = state.step(&Input::Gone, at());
    assert_eq!((turn.state.label(), turn.actions.len()), ("dropped", 0));
}

#[test]
fn h018_funding_of_the_hot_wallet_is_the_houses_own_money() {
    let state = deposit(false).step(&seen(5), at());
    assert_eq!(state.events, []);
    let turn = state.state.step(&Input::Confirmed, at());
    let command = submitted(&turn);
    assert_eq!(command.reason, Reason::HouseFunding);
    assert!(matches!(
        steps(&command),
        [Step::Move {
            debit: Account {
                purpose: Purpose::HotWallet,
                ..
            },
            credit: Account {
                purpose: Purpose::Capital,
                ..
            },
            ..
        }]
    ));
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Seen,
    Confirmed,
    Gone,
    /// The oldest outstanding action is performed; the number is what is read.
    Perform(u128),
    Wake,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Seen),
        Just(Happening::Confirmed),
        Just(Happening::Gone),
        (0u128..150).prop_map(Happening::Perform),
        (0u128..150).prop_map(Happening::Perform),
        Just(Happening::Wake),
    ]
}

proptest! {
    /// Whatever the order of chain and engine, credits exceed reversals by at most one, no command id is used twice
    /// with two bodies, and once left in peace the books say what the chain says.
    #[test]
    fn i06_books_follow_the_chain(happenings in proptest::collection::vec(happening(), 1..80)) {
        let mut state = deposit(true);
        let mut queue = std::collections::VecDeque::new();
        let mut balance = 0i32;
        let mut seen_ids = std::collections::HashMap::new();
        let mut on_chain = false;
        let mut perform = |state: &State, action: Action, read: u128, balance: &mut i32| -> Turn<State, Action, Event> {
            let input = match action {
                Action::ReadDebt { .. } => Input::Debt { owed: Amount::new(read) },
                Action::ReadAvailable { .. } => Input::Available { available: Amount::new(read) },
                Action::Submit(command) => {
                    if let Some(before) = seen_ids.insert(command.id, command.clone()) {
                        assert_eq!(before, command.clone());
                    }
                    *balance += if command.reason == Reason::Deposit { 1 } else { -1 };
                    applied(&command)
                }
            };
            state.step(&input, at())
        };
        for happening in happenings {
            let turn = match happening {
                Happening::Seen => { on_chain = true; state.step(&seen(1), at()) }
                Happening::Confirmed => state.step(&Input::Confirmed, at()),
                Happening::Gone => { on_chain = false; state.step(&Input::Gone, at()) }
                Happening::Wake => state.step(&Input::Wake, at()),
                Happening::Perform(read) => match queue.pop_front() {
                    Some(action) => perform(&state, action, read, &mut balance),
                    None => continue,
                },
            };
            state = turn.state;
            queue.extend(turn.actions);
            prop_assert!((0..=1).contains(&balance));
            prop_assert!(queue.len() <= 1, "one thing at a time");
        }
        if on_chain {
            let turn = state.step(&Input::Confirmed, at());
            state = turn.state;
            queue.extend(turn.actions);
        }
        while let Some(action) = queue.pop_front() {
            let turn = perform(&state, action, 0, &mut balance);
            state = turn.state;
            queue.extend(turn.actions);
        }
        prop_assert_eq!(balance, i32::from(on_chain));
        prop_assert_eq!(state.label() == "credited", on_chain);
    }
}
