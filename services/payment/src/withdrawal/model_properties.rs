use proptest::prelude::*;

use super::giving_up::filler;
use super::*;

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(held()),
        Just(Input::Cancel),
        Just(Input::Wake),
        Just(Input::Prepared { offer: offer() }),
        (1u32..4).prop_map(|attempt| Input::Signed {
            candidate: candidate(attempt)
        }),
        Just(Input::SignerRefused { reason: "no".into() }),
        prop_oneof![Just(vec![]), Just(vec![candidate(1)])]
            .prop_map(|candidates| Input::SignerHas { candidates }),
        Just(Input::Sent {
            answer: "accepted".into()
        }),
        // "Superseded" is left out: the chain says it only of a nonce that no candidate can have any more.
        any::<bool>().prop_map(|known| Input::Looked {
            known,
            superseded: false
        }),
        Just(Input::GiveUp {
            staff: StaffId::new_at(1),
            reason: "stuck".into()
        }),
        Just(Input::NotTaken {
            reason: "full".into()
        }),
        (4u32..6).prop_map(|attempt| Input::Signed {
            candidate: filler(attempt)
        }),
        Just(Input::Repriced { offer: offer() }),
        Just(Input::NotRepriced {
            reason: "dear".into()
        }),
        (1u32..6, any::<bool>()).prop_map(|(attempt, ok)| Input::Mined {
            mined: mined(attempt, ok)
        }),
        (1u32..6).prop_map(|attempt| Input::Unmined {
            hash: format!("0xhash{attempt}")
        }),
        (1u32..6, any::<bool>()).prop_map(|(attempt, ok)| Input::Confirmed {
            mined: mined(attempt, ok)
        }),
    ]
}

proptest! {
    /// Whatever comes in whatever order: the hold ends at most once, money is never released after something that may
    /// be on the chain was signed (but for a payment the chain undid, or one whose nonce a filler has), final states are
    /// final.
    #[test]
    fn i17_i22_no_order_of_inputs_pays_and_releases(inputs in proptest::collection::vec(any_input(), 0..60)) {
        let mut state = State::new(facts());
        let mut ends = 0;
        for (second, input) in (1..).zip(inputs) {
            let was_final = state.is_final();
            let Ok(turn) = state.step(&input, at(second)) else { continue };
            prop_assert!(!was_final || turn.state == state || turn.state.mined != state.mined);
            prop_assert!(!was_final || turn.actions.is_empty() && turn.events.is_empty());
            state = turn.state.clone();
            for action in &turn.actions {
                if let Action::Submit(command) = action {
                    ends += 1;
                    if steps(command).contains(&Step::Void { hold: state.hold() }) && !state.candidates.is_empty() {
                        prop_assert!(
                            state.mined.as_ref().is_some_and(|mined| !mined.succeeded || state.is_filler(&mined.hash))
                        );
                    }
                    let answer = Input::Answered { command: command.id, outcome: applied() };
                    state = state.step(&answer, at(second)).unwrap().state;
                    prop_assert!(state.is_final());
                }
            }
        }
        prop_assert!(ends <= 1);
    }
}
