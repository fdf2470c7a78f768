use std::sync::Arc;

use ferrex_fault::{Fault, Kind};
use ferrex_flows::{Actor, Flow, Runner, Step, replay};
use ferrex_time::{SystemClock, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::errand::{database, new_id, options};

/// Adds up what comes, in the order in which it comes; refuses multiples of seven.
struct Tally;

impl Flow for Tally {
    const KIND: &'static str = "tally";
    const LABELS: &'static [&'static str] = &["even", "odd"];
    type State = Vec<u32>;
    type Input = u32;
    type Action = u32;

    fn step(&self, state: &Vec<u32>, input: &u32, _: Timestamp) -> Result<Step<Self>, Fault> {
        if input.is_multiple_of(7) {
            return Err(Fault::new(Kind::Invalid, "flowtest.seven", "no sevens"));
        }
        let mut next = state.clone();
        next.push(*input);
        let step = Step::to(next);
        Ok(match input % 3 {
            0 => step.act(*input).waiting_for("nothing in particular"),
            1 => step.act(*input).act(input + 1),
            _ => step.revoke_all(),
        })
    }

    fn label(state: &Vec<u32>) -> &'static str {
        if state.len().is_multiple_of(2) {
            "even"
        } else {
            "odd"
        }
    }

    fn is_final(_: &Vec<u32>) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_at_once_are_taken_one_after_the_other_and_none_is_lost() {
    let (_test, db) = database().await;
    let runner = Arc::new(Runner::new(Tally, db, SystemClock::shared(), options()));
    let id = new_id();
    runner.start_now(id, Vec::new(), 1, &Actor::SYSTEM).await.unwrap();
    let sends = (2..60u32).filter(|n| !n.is_multiple_of(7)).map(|n| {
        let runner = Arc::clone(&runner);
        tokio::spawn(async move { runner.send(id, n, &Actor::SYSTEM).await.unwrap() })
    });
    let sends: Vec<_> = sends.collect();
    for send in sends {
        send.await.unwrap();
    }
    let view = runner.get(id).await.unwrap().unwrap();
    let mut seen = view.state.clone();
    seen.sort_unstable();
    assert_eq!(
        seen,
        (1..60).filter(|n: &u32| !n.is_multiple_of(7)).collect::<Vec<_>>()
    );
    let history = runner.history(id).await.unwrap();
    let steps: Vec<_> = history.iter().map(|entry| entry.step).collect();
    assert_eq!(steps, (0..=view.step).collect::<Vec<_>>());
    assert!(history.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(replay(&Tally, &history).unwrap(), Some(view.state));
}

#[test]
fn whatever_comes_the_history_replays_to_the_state() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_test, db) = runtime.block_on(database());
    let runner = Runner::new(Tally, db, SystemClock::shared(), options());
    let mut cases = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let inputs = proptest::collection::vec(1u32..100, 0..25);
    cases
        .run(&inputs, |inputs| {
            runtime.block_on(async {
                let id = new_id();
                runner.start_now(id, Vec::new(), 1, &Actor::SYSTEM).await.unwrap();
                let mut expected = vec![1];
                for input in inputs {
                    let taken = runner.send(id, input, &Actor::SYSTEM).await;
                    prop_assert_eq!(taken.is_ok(), input % 7 != 0);
                    if taken.is_ok() {
                        expected.push(input);
                    }
                }
                let (view, history) = (
                    runner.get(id).await.unwrap().unwrap(),
                    runner.history(id).await.unwrap(),
                );
                prop_assert_eq!(&view.state, &expected);
                prop_assert_eq!(replay(&Tally, &history).unwrap(), Some(expected));
                prop_assert_eq!(history.len(), view.state.len() + 1);
                Ok(())
            })
        })
        .unwrap();
}
