use ferrex_flows::{Actor, Error, Performed};
use ferrex_testkit::eventually;

use crate::errand::*;

#[tokio::test]
async fn f044_of_a_cancel_and_a_claim_exactly_one_wins() {
    let (_test, db) = database().await;
    let (runner, shop) = (runner(&db), Shop::open(&db));
    let worker = Worker::start(&runner, &shop);
    let (mut cancelled, mut bought) = (0, 0);
    for round in 0..200u32 {
        let id = order(&runner).await;
        for _ in 0..round % 8 {
            tokio::task::yield_now().await;
        }
        if round % 3 == 0 {
            // Give the worker the time of a query, so that it wins sometimes.
            label(&runner, id).await;
        }
        match runner.send(id, Input::Cancel, &Actor::SYSTEM).await {
            Ok(state) => {
                assert_eq!(state, State::Cancelled);
                cancelled += 1;
                assert!(world(&db, id).await.is_empty(), "a cancelled errand was run");
                assert!(!shop.calls().iter().any(|(context, _)| context.flow == id));
            }
            // Claimed, or bought and moved on already.
            Err(Error::EffectClaimed { .. } | Error::Refused { .. }) => {
                bought += 1;
                reaches(&runner, id, "delivered").await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(cancelled + bought, 200);
    worker.stop().await;
}

#[tokio::test]
async fn an_unclaimed_effect_can_be_taken_back_and_is_never_performed() {
    let (_test, db) = database().await;
    let (runner, shop) = (runner(&db), Shop::open(&db));
    let id = order(&runner).await;
    assert_eq!(
        runner.send(id, Input::Cancel, &Actor::SYSTEM).await.unwrap(),
        State::Cancelled
    );
    let worker = Worker::start(&runner, &shop);
    let other = order(&runner).await;
    reaches(&runner, other, "delivered").await;
    assert!(world(&db, id).await.is_empty());
    worker.stop().await;
}

#[tokio::test]
async fn a_claimed_effect_cannot_be_taken_back_even_between_attempts() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let later = Some(std::time::Duration::from_hours(1));
    let retry = Performed::Retry {
        reason: "no answer".to_owned(),
        after: later,
    };
    let shop = Shop::scripted(&db, [retry]);
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    eventually(WAIT, || async {
        runner.get(id).await.unwrap().unwrap().pending[0].reason.is_some()
    })
    .await;
    let error = runner.send(id, Input::Cancel, &Actor::SYSTEM).await.unwrap_err();
    assert!(
        matches!(error, Error::EffectClaimed { ref name, .. } if name == "buy"),
        "{error}"
    );
    assert_eq!(ferrex_fault::Fault::from(error).code, "flows.effect_claimed");
    assert_eq!(label(&runner, id).await, "requested");
    worker.stop().await;
}

#[tokio::test]
async fn an_effect_that_certainly_did_not_begin_can_be_taken_back() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let later = Some(std::time::Duration::from_hours(1));
    let shop = Shop::scripted(
        &db,
        [Performed::NotBegun {
            reason: "refused at the door".to_owned(),
            after: later,
        }],
    );
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    eventually(WAIT, || async {
        runner.get(id).await.unwrap().unwrap().pending[0].reason.is_some()
    })
    .await;
    assert_eq!(
        runner.send(id, Input::Cancel, &Actor::SYSTEM).await.unwrap(),
        State::Cancelled
    );
    assert!(runner.get(id).await.unwrap().unwrap().pending.is_empty());
    worker.stop().await;
}
