use super::*;

pub(super) fn filler(attempt: u32) -> Candidate {
    Candidate {
        filler: true,
        ..candidate(attempt)
    }
}

fn give_up() -> Input {
    Input::GiveUp {
        staff: StaffId::new_at(1),
        reason: "stuck".into(),
    }
}

fn not_taken() -> Input {
    Input::NotTaken {
        reason: "no room".into(),
    }
}

fn repriced() -> Input {
    Input::Repriced { offer: offer() }
}

/// Signed, sent, given up, and filled: the filler is sent.
fn filled() -> Decided {
    let more = [
        give_up(),
        repriced(),
        Input::Signed { candidate: filler(2) },
        Input::Sent {
            answer: "accepted".into(),
        },
    ];
    run(facts(), &[broadcast(), more.to_vec()].concat())
}

fn confirmed(turn: &Decided, attempt: u32) -> Decided {
    let input = Input::Confirmed {
        mined: mined(attempt, true),
    };
    turn.state.step(&input, at(99)).unwrap()
}

#[test]
fn h026_what_was_signed_and_is_given_up_has_its_nonce_filled_and_then_released() {
    let turn = run(facts(), &[broadcast(), vec![give_up(), repriced()]].concat());
    assert_eq!(
        turn.actions,
        [Action::Fill {
            attempt: 2,
            offer: offer()
        }]
    );
    let turn = confirmed(&filled(), 2);
    let command = submitted(&turn);
    assert_eq!(command.reason, Reason::WithdrawalRelease);
    let hold = turn.state.hold();
    assert!(matches!(&steps(&command)[..], [Step::Void { hold: void }, Step::Move { .. }] if *void == hold));
    let turn = turn.state.step(&answered(&turn, applied()), at(100)).unwrap();
    assert_eq!(turn.state.label(), "failed");
    assert_eq!(
        turn.events,
        [Event::Failed {
            reason: "stuck".into()
        }]
    );
}

#[test]
fn h030_a_payment_that_is_mined_before_its_filler_is_settled() {
    let turn = confirmed(&filled(), 1);
    assert_eq!(submitted(&turn).reason, Reason::WithdrawalSettlement);
}

#[test]
fn h026_a_filler_that_is_stuck_is_replaced_by_a_filler() {
    let turn = filled().state.step(&Input::Wake, at(50)).unwrap();
    let turn = turn.state.step(&looked(true), at(500)).unwrap();
    assert!(matches!(turn.actions[..], [Action::Reprice { .. }]));
    let turn = turn.state.step(&repriced(), at(501)).unwrap();
    assert!(matches!(turn.actions[..], [Action::Fill { attempt: 3, .. }]));
}

/// Seed 1180 of the simulator: the signer had a second attempt that the flow forgot, so the filler asked for its number for
/// ever, was refused, and everything behind its nonce waited.
#[test]
fn h026_an_attempt_that_was_signed_while_a_block_came_and_went_keeps_its_number() {
    let first = Input::Mined {
        mined: mined(1, true),
    };
    let gone = Input::Unmined {
        hash: candidate(1).hash,
    };
    let sent = Input::Sent {
        answer: "accepted".into(),
    };
    let more = [
        Input::Wake,
        looked(true),
        repriced(),
        first,
        gone,
        sent,
        Input::Signed {
            candidate: candidate(2),
        },
        give_up(),
        repriced(),
    ];
    let mut turn = run(facts(), &broadcast());
    for (second, input) in (500..).zip(&more) {
        turn = turn.state.step(input, at(second)).unwrap();
    }
    assert!(
        matches!(turn.actions[..], [Action::Fill { attempt: 3, .. }]),
        "{:?}",
        turn.actions
    );
}

#[test]
fn h026_bytes_that_come_after_the_giving_up_are_filled_without_being_sent() {
    let prepared = Input::Prepared { offer: offer() };
    let turn = run(facts(), &[held(), prepared.clone(), give_up()]);
    assert_eq!(turn.actions, [Action::AskSigner]);
    let has = |candidates| Input::SignerHas { candidates };
    let signed = turn.state.step(&has(vec![candidate(1)]), at(5)).unwrap();
    assert!(matches!(signed.actions[..], [Action::Reprice { .. }]));
    let never = turn.state.step(&has(Vec::new()), at(5)).unwrap();
    assert_eq!(submitted(&never).reason, Reason::WithdrawalRelease);
}

#[test]
fn h026_what_no_node_takes_is_given_up_when_patience_ends() {
    let mut turn = run(facts(), &broadcast()[..3]);
    for second in [10, 20, 69] {
        turn = turn.state.step(&not_taken(), at(second)).unwrap();
        assert_eq!(
            turn.waiting_for.as_deref(),
            Some("the network refuses it: no room")
        );
        turn = turn.state.step(&Input::Wake, at(second + 1)).unwrap();
        turn = turn.state.step(&looked(false), at(second + 2)).unwrap();
        assert!(matches!(turn.actions[..], [Action::Broadcast { .. }]));
    }
    let turn = turn.state.step(&not_taken(), at(70)).unwrap();
    assert!(matches!(turn.actions[..], [Action::Reprice { .. }]));
}

#[test]
fn h027_a_nonce_used_elsewhere_is_for_people_and_released_only_by_them() {
    let superseded = Input::Looked {
        known: false,
        superseded: true,
    };
    let turn = run(
        facts(),
        &[broadcast(), vec![Input::Wake, superseded.clone()]].concat(),
    );
    assert_eq!((turn.state.label(), turn.actions.len()), ("confirming", 0));
    assert!(turn.waiting_for.unwrap().contains("staff"));
    let turn = turn.state.step(&give_up(), at(9)).unwrap();
    let turn = turn
        .state
        .step(
            &Input::NotRepriced {
                reason: "dear".into(),
            },
            at(10),
        )
        .unwrap();
    let turn = turn.state.step(&Input::Wake, at(11)).unwrap();
    let turn = turn.state.step(&superseded, at(12)).unwrap();
    assert_eq!(
        steps(&submitted(&turn)),
        [Step::Void {
            hold: turn.state.hold()
        }]
    );
}

#[test]
fn what_is_mined_over_or_with_staff_is_not_given_up() {
    let asking = Facts {
        needs_approval: true,
        ..facts()
    };
    let mined = Input::Mined {
        mined: mined(1, true),
    };
    for state in [
        run(asking, &[held()]).state,
        run(facts(), &[broadcast(), vec![mined]].concat()).state,
        run(facts(), &[held(), Input::Cancel]).state,
    ] {
        let refused = state.step(&give_up(), at(50)).unwrap_err();
        assert!(matches!(refused, Error::CannotGiveUp(..)), "{refused}");
    }
}
