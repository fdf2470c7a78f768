//! Payments that are replaced, revert, or are reorganised away.

use super::*;

#[test]
fn h028_h030_a_replacement_keeps_the_nonce_and_either_candidate_settles_once() {
    let turn = run(facts(), &broadcast());
    let turn = turn.state.step(&Input::Wake, at(20)).unwrap();
    let turn = turn.state.step(&looked(true), at(100)).unwrap();
    assert_eq!(turn.actions, [Action::Reprice { previous: offer() }]);
    let turn = turn
        .state
        .step(&Input::Repriced { offer: offer() }, at(101))
        .unwrap();
    assert_eq!(
        turn.actions,
        [Action::Sign {
            attempt: 2,
            offer: offer()
        }]
    );
    let turn = turn
        .state
        .step(
            &Input::Signed {
                candidate: candidate(2),
            },
            at(102),
        )
        .unwrap();
    for winner in [1, 2] {
        let settled = turn
            .state
            .step(
                &Input::Confirmed {
                    mined: mined(winner, true),
                },
                at(110),
            )
            .unwrap();
        assert_eq!(settled.state.label(), "settling");
        let again = settled
            .state
            .step(
                &Input::Confirmed {
                    mined: mined(3 - winner, true),
                },
                at(111),
            )
            .unwrap();
        assert_eq!(again.actions, []);
    }
}

#[test]
fn h030_the_old_candidate_may_win_while_the_new_one_is_being_signed() {
    let turn = run(facts(), &broadcast());
    let turn = turn.state.step(&Input::Wake, at(20)).unwrap();
    let turn = turn.state.step(&looked(true), at(100)).unwrap();
    let turn = turn
        .state
        .step(&Input::Repriced { offer: offer() }, at(101))
        .unwrap();
    let turn = turn
        .state
        .step(
            &Input::Confirmed {
                mined: mined(1, true),
            },
            at(102),
        )
        .unwrap();
    assert_eq!(turn.state.label(), "settling");
    let late = turn
        .state
        .step(
            &Input::Signed {
                candidate: candidate(2),
            },
            at(103),
        )
        .unwrap();
    assert_eq!(
        (
            late.state.label(),
            late.actions.len(),
            late.state.candidates.len()
        ),
        ("settling", 0, 1)
    );
}

#[test]
fn h029_a_reverted_payment_returns_the_money_and_costs_the_house_the_fee() {
    let turn = run(facts(), &broadcast());
    let turn = turn
        .state
        .step(
            &Input::Confirmed {
                mined: mined(1, false),
            },
            at(10),
        )
        .unwrap();
    let steps = steps(&submitted(&turn));
    assert_eq!(
        steps[0],
        Step::Void {
            hold: turn.state.hold()
        }
    );
    assert!(matches!(steps[1], Step::Move { amount, .. } if amount == Amount::new(9)));
    let turn = turn.state.step(&answered(&turn, applied()), at(11)).unwrap();
    assert_eq!(turn.state.label(), "failed");
    assert!(matches!(turn.events[..], [Event::Failed { .. }]));
}

#[test]
fn f038_a_payment_reorganised_away_is_sent_again_not_made_again() {
    let turn = run(facts(), &broadcast());
    let turn = turn
        .state
        .step(
            &Input::Mined {
                mined: mined(1, true),
            },
            at(9),
        )
        .unwrap();
    let turn = turn
        .state
        .step(
            &Input::Unmined {
                hash: "0xhash1".into(),
            },
            at(10),
        )
        .unwrap();
    assert_eq!(
        turn.actions,
        [Action::Broadcast {
            candidate: candidate(1)
        }]
    );
}
