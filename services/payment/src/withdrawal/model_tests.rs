use ferrex_engine_core::Rest;
use ferrex_ledger::Purpose;
use ferrex_time::from_micros;

use super::super::error::Error;
use super::*;

fn at(seconds: i64) -> Timestamp {
    from_micros((1_700_000_000 + seconds) * 1_000_000)
}

fn facts() -> Facts {
    Facts {
        withdrawal: WithdrawalId::new_at(1_700_000_000_000),
        user: UserId::new_at(1),
        asset: AssetId(2),
        symbol: "USDX".into(),
        decimals: Decimals::try_new(6).unwrap(),
        amount: Amount::new(100),
        fee: Amount::new(3),
        network: "ethereum".into(),
        contract: None,
        native: AssetId(1),
        payee: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".into(),
        internal: None,
        needs_approval: false,
        content_hash: "abc".into(),
        requested_at: at(0),
        patience: Patience {
            look_every_ms: 1_000,
            replace_after_ms: 60_000,
        },
    }
}

fn offer() -> Offer {
    Offer {
        gas_limit: 21_000,
        max_fee_per_gas: Amount::new(10),
        max_priority_fee_per_gas: Amount::new(1),
        fee_cap: Amount::new(1_000_000),
        chain_nonce: 0,
    }
}

fn candidate(attempt: u32) -> Candidate {
    Candidate {
        attempt,
        offer: offer(),
        raw: format!("0x{attempt:02x}"),
        hash: format!("0xhash{attempt}"),
        nonce: 7,
        filler: false,
    }
}

fn looked(known: bool) -> Input {
    let superseded = false;
    Input::Looked { known, superseded }
}

fn mined(attempt: u32, succeeded: bool) -> Mined {
    Mined {
        hash: format!("0xhash{attempt}"),
        succeeded,
        fee_paid: Amount::new(9),
    }
}

fn applied() -> Outcome {
    Outcome::Applied { sequence: 1 }
}

fn run(facts: Facts, inputs: &[Input]) -> Decided {
    let mut turn = State::new(facts).step(&Input::Begin, at(0)).unwrap();
    for (second, input) in (1..).zip(inputs) {
        turn = turn.state.step(input, at(second)).unwrap();
    }
    turn
}

fn held() -> Input {
    Input::HoldAnswered { outcome: applied() }
}

fn broadcast() -> Vec<Input> {
    vec![
        held(),
        Input::Prepared { offer: offer() },
        Input::Signed {
            candidate: candidate(1),
        },
        Input::Sent {
            answer: "accepted".into(),
        },
    ]
}

fn submitted(turn: &Decided) -> Command {
    match &turn.actions[..] {
        [Action::Submit(command)] => (**command).clone(),
        other => panic!("{other:?}"),
    }
}

fn answered(turn: &Decided, outcome: Outcome) -> Input {
    Input::Answered {
        command: submitted(turn).id,
        outcome,
    }
}

fn steps(command: &Command) -> Vec<Step> {
    let EngineAction::Transfer(steps) = &command.action else {
        unreachable!("withdrawals and deposits send transfers only")
    };
    steps.clone()
}

#[test]
fn the_way_of_a_withdrawal() {
    let turn = run(facts(), &[held()]);
    assert_eq!(
        (turn.state.label(), &turn.events[..]),
        ("preparing", &[Event::Requested][..])
    );
    let turn = run(facts(), &broadcast());
    assert_eq!(
        (turn.state.label(), turn.waiting_for.as_deref()),
        ("confirming", Some("accepted"))
    );
    let turn = turn
        .state
        .step(
            &Input::Mined {
                mined: mined(1, true),
            },
            at(9),
        )
        .unwrap();
    assert_eq!(turn.waiting_for.as_deref(), Some("confirmations"));
    let turn = turn
        .state
        .step(
            &Input::Confirmed {
                mined: mined(1, true),
            },
            at(10),
        )
        .unwrap();
    let command = submitted(&turn);
    assert_eq!(command.reason, Reason::WithdrawalSettlement);
    let hold = turn.state.hold();
    let house = Account::house;
    assert_eq!(
        steps(&command),
        [
            Step::Post {
                hold,
                credit: house(Purpose::HotWallet),
                amount: Amount::new(100),
                rest: Rest::Keep
            },
            Step::Post {
                hold,
                credit: house(Purpose::Fees),
                amount: Amount::new(3),
                rest: Rest::Release
            },
            Step::Move {
                debit: house(Purpose::NetworkFees),
                credit: house(Purpose::HotWallet),
                asset: AssetId(1),
                amount: Amount::new(9)
            },
        ]
    );
    let turn = turn.state.step(&answered(&turn, applied()), at(11)).unwrap();
    assert_eq!(
        (turn.state.label(), &turn.events[..]),
        ("settled", &[Event::Settled][..])
    );
}

#[test]
fn a_refused_hold_ends_it_without_a_word() {
    let outcome = Outcome::Refused {
        sequence: 1,
        refusal: Refusal::InsufficientAvailable,
    };
    let turn = run(facts(), &[Input::HoldAnswered { outcome }]);
    assert_eq!(
        (turn.state.label(), turn.events.len(), turn.actions.len()),
        ("refused", 0, 0)
    );
    assert!(turn.state.is_final());
}

#[test]
fn h033_cancelling_wins_before_signing_and_never_after() {
    let turn = run(facts(), &[held(), Input::Cancel]);
    assert_eq!(
        steps(&submitted(&turn)),
        [Step::Void {
            hold: turn.state.hold()
        }]
    );
    let late = turn
        .state
        .step(&Input::Prepared { offer: offer() }, at(9))
        .unwrap();
    assert_eq!(
        (late.state.label(), late.actions.len()),
        ("releasing", 0),
        "the checks come too late"
    );
    let turn = turn.state.step(&answered(&turn, applied()), at(9)).unwrap();
    assert_eq!(
        (turn.state.label(), &turn.events[..]),
        ("cancelled", &[Event::Cancelled][..])
    );

    for inputs in [2, 3, 4].map(|count| broadcast()[..count].to_vec()) {
        let state = run(facts(), &inputs).state;
        assert!(
            matches!(state.step(&Input::Cancel, at(9)), Err(Error::TooLateToCancel(..))),
            "{}",
            state.label()
        );
    }
}

#[test]
fn h035_a_decision_binds_to_what_was_looked_at() {
    let facts = Facts {
        needs_approval: true,
        ..facts()
    };
    let turn = run(facts, &[held()]);
    assert_eq!(turn.events, [Event::Requested, Event::AwaitsApproval]);
    let decide = |approved, hash: &str| Input::Decided {
        approved,
        content_hash: hash.into(),
        staff: StaffId::new_at(1),
        reason: "looks odd".into(),
    };
    assert!(matches!(
        turn.state.step(&decide(true, "other"), at(5)),
        Err(Error::ContentChanged(_))
    ));
    let yes = turn.state.step(&decide(true, "abc"), at(5)).unwrap();
    assert_eq!(
        (yes.state.label(), &yes.events[..]),
        ("preparing", &[Event::ApprovalClosed("approved")][..])
    );
    assert!(matches!(
        yes.state.step(&decide(false, "abc"), at(5)),
        Err(Error::NotAwaitingApproval(..))
    ));
    let no = turn.state.step(&decide(false, "abc"), at(5)).unwrap();
    let ended = no.state.step(&answered(&no, applied()), at(6)).unwrap();
    assert_eq!(
        (ended.state.label(), &ended.events[..]),
        (
            "rejected",
            &[Event::Failed {
                reason: "looks odd".into()
            }][..]
        )
    );
}

#[test]
fn h026_h021_what_no_node_knows_is_sent_again_byte_for_byte() {
    let turn = run(facts(), &broadcast());
    let turn = turn.state.step(&Input::Wake, at(20)).unwrap();
    let turn = turn.state.step(&looked(false), at(21)).unwrap();
    assert_eq!(
        turn.actions,
        [Action::Broadcast {
            candidate: candidate(1)
        }]
    );
}

#[test]
fn a_signer_that_refuses_is_asked_what_it_has_signed_before_the_money_is_released() {
    let turn = run(facts(), &[held(), Input::Prepared { offer: offer() }]);
    let turn = turn
        .state
        .step(
            &Input::SignerRefused {
                reason: "not allowed".into(),
            },
            at(5),
        )
        .unwrap();
    assert_eq!(turn.actions, [Action::AskSigner]);
    let nothing = turn
        .state
        .step(&Input::SignerHas { candidates: vec![] }, at(6))
        .unwrap();
    assert_eq!(nothing.state.label(), "releasing");
    let something = turn
        .state
        .step(
            &Input::SignerHas {
                candidates: vec![candidate(1)],
            },
            at(6),
        )
        .unwrap();
    assert_eq!(
        something.actions,
        [Action::Broadcast {
            candidate: candidate(1)
        }]
    );
}

#[test]
fn books_that_lag_are_tried_again_under_another_command() {
    let turn = run(facts(), &broadcast());
    let turn = turn
        .state
        .step(
            &Input::Confirmed {
                mined: mined(1, true),
            },
            at(10),
        )
        .unwrap();
    let first = submitted(&turn);
    let refused = Outcome::Refused {
        sequence: 4,
        refusal: Refusal::InsufficientAvailable,
    };
    let turn = turn.state.step(&answered(&turn, refused), at(11)).unwrap();
    assert_eq!((turn.state.label(), turn.actions.len()), ("settling", 0));
    let wake_at = turn.wake_at.expect("an alarm");
    let turn = turn.state.step(&Input::Wake, wake_at).unwrap();
    let second = submitted(&turn);
    assert_ne!(first.id, second.id);
    assert_eq!(steps(&first), steps(&second));
}

#[test]
fn h038_one_of_our_addresses_is_paid_inside_the_house() {
    let receiver = UserId::new_at(2);
    let facts = Facts {
        internal: Some(receiver),
        fee: Amount::ZERO,
        ..facts()
    };
    let turn = run(facts, &[held()]);
    let command = submitted(&turn);
    assert_eq!(command.reason, Reason::InternalWithdrawal);
    assert!(
        matches!(steps(&command)[..], [Step::Post { credit, .. }] if credit == Account::wallet(receiver.uuid()))
    );
}

#[path = "giving_up_tests.rs"]
mod giving_up;
#[path = "model_properties.rs"]
mod properties;
#[path = "replacing_tests.rs"]
mod replacing;
