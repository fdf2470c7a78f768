use std::sync::Arc;
use std::time::Duration;

use ferrex_flows::{Actor, Error, Performed, Runner, Started, effect_id, replay};
use ferrex_testkit::{Postgres, eventually};

use crate::errand::*;

#[tokio::test]
async fn an_errand_runs_to_its_end_and_tells_its_story() {
    let (_test, db) = database().await;
    let (runner, shop) = (runner(&db), Shop::open(&db));
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    reaches(&runner, id, "delivered").await;

    let history = runner.history(id).await.unwrap();
    let story: Vec<_> = history
        .iter()
        .map(|entry| (entry.step, &*entry.actor, &*entry.label))
        .collect();
    assert_eq!(
        story,
        [
            (0, "system", "new"),
            (1, "system", "requested"),
            (2, "effect buy", "bought"),
            (3, "effect bring", "delivered")
        ]
    );
    assert_eq!(history[1].effects, ["flowtest.errand.ordered", "buy"]);
    assert_eq!(history[1].waiting_for.as_deref(), Some("the shop"));
    assert_eq!(
        replay(&Errand::default(), &history).unwrap(),
        Some(State::Delivered)
    );

    let view = runner.get(id).await.unwrap().unwrap();
    assert!(view.is_final && view.pending.is_empty() && view.waiting_for.is_none());
    let calls = shop.calls();
    assert_eq!(calls[0].0.effect, effect_id(id, 1, 1, history[1].at));
    assert_eq!((calls[0].0.attempt, calls[0].0.at), (1, history[1].at));
    let published: Vec<String> = sqlx::query_scalar("SELECT message_type FROM outbox")
        .fetch_all(db.pool())
        .await
        .unwrap();
    assert_eq!(published, ["flowtest.errand.ordered"]);
    worker.stop().await;
}

#[tokio::test]
async fn starting_twice_starts_once_and_a_rollback_starts_nothing() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let id = new_id();
    let bread = || Input::Order {
        item: "bread".to_owned(),
    };
    {
        let mut tx = db.begin().await.unwrap();
        runner
            .start(&mut tx, id, State::New, bread(), &Actor::SYSTEM)
            .await
            .unwrap();
        tx.rollback().await.unwrap();
    }
    assert!(runner.get(id).await.unwrap().is_none());
    let requested = State::Requested {
        item: "bread".to_owned(),
    };
    let first = runner
        .start_now(id, State::New, bread(), &Actor::SYSTEM)
        .await
        .unwrap();
    assert_eq!(first, Started::New(requested.clone()));
    let cake = Input::Order {
        item: "cake".to_owned(),
    };
    let second = runner
        .start_now(id, State::New, cake, &Actor::SYSTEM)
        .await
        .unwrap();
    assert_eq!(second, Started::Already(requested));
    assert_eq!(runner.history(id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn two_starts_at_once_start_one_flow() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    for _ in 0..20 {
        let id = new_id();
        let start = |item: &'static str| {
            let runner = runner.clone();
            async move {
                let input = Input::Order {
                    item: item.to_owned(),
                };
                runner
                    .start_now(id, State::New, input, &Actor::SYSTEM)
                    .await
                    .unwrap()
            }
        };
        let (left, right) = tokio::join!(start("bread"), start("cake"));
        let new = |started: &Started<State>| matches!(started, Started::New(_));
        assert!(new(&left) != new(&right));
        assert_eq!(left.into_state(), right.into_state());
    }
}

#[tokio::test]
async fn a_refused_input_changes_nothing() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let id = order(&runner).await;
    let error = runner.send(id, Input::Brought, &Actor::SYSTEM).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }));
    assert_eq!(ferrex_fault::Fault::from(error).code, "flowtest.state");
    let view = runner.get(id).await.unwrap().unwrap();
    assert_eq!(
        (view.step, view.label.as_str(), view.pending.len()),
        (1, "requested", 1)
    );
    let unknown = runner
        .send(new_id(), Input::Cancel, &Actor::SYSTEM)
        .await
        .unwrap_err();
    assert!(matches!(unknown, Error::NotFound { .. }));
}

#[tokio::test]
async fn a_retry_shows_its_reason_and_keeps_its_id() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let away = Performed::Retry {
        reason: "the shop is shut\0".to_owned(),
        after: Some(Duration::from_hours(1)),
    };
    let shop = Shop::scripted(&db, [away]);
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    let effect = eventually(WAIT, || async {
        let view = runner.get(id).await.unwrap().unwrap();
        view.pending.into_iter().find(|effect| effect.reason.is_some())
    })
    .await;
    assert_eq!(effect.reason.as_deref(), Some("the shop is shut\u{fffd}"));
    assert!(!effect.claimed && effect.attempts == 1);
    assert!(effect.next_attempt_at > runner.get(id).await.unwrap().unwrap().updated_at);
    assert_eq!(runner.rearm(Some(id)).await.unwrap(), 1);
    reaches(&runner, id, "delivered").await;
    let calls = shop.calls();
    assert_eq!(calls[0].0.effect, calls[1].0.effect);
    assert_eq!(calls[1].0.attempt, 2);
    worker.stop().await;
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up_and_not_repeated() {
    let (_test, db) = database().await;
    let (runner, shop) = (
        runner(&db),
        Shop::scripted(&db, [Performed::Unknown(Input::PaymentUnknown)]),
    );
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    reaches(&runner, id, "delivered").await;
    let actions: Vec<_> = shop.calls().into_iter().map(|(_, action)| action).collect();
    assert!(matches!(
        actions[..],
        [Action::Buy { .. }, Action::Look { .. }, Action::Bring { .. }]
    ));
    let status: String = sqlx::query_scalar("SELECT status FROM flow_effect WHERE name = 'buy'")
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(status, "unknown");
    worker.stop().await;
}

struct Panics;
#[async_trait::async_trait]
impl ferrex_flows::Performer<Errand> for Panics {
    async fn perform(&self, _: ferrex_flows::EffectContext, _: Action) -> Performed<Input> {
        panic!("a defect")
    }
}

#[tokio::test]
async fn a_panic_is_a_visible_retry() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let id = order(&runner).await;
    let stop = ferrex_runtime::CancellationToken::new();
    let task = tokio::spawn({
        let (runner, stop) = (runner.clone(), stop.clone());
        async move { runner.run(Arc::new(Panics), stop).await }
    });
    eventually(WAIT, || async {
        let view = runner.get(id).await.unwrap().unwrap();
        view.pending[0].attempts >= 2
            && view.pending[0].reason.as_deref() == Some("an unexpected failure inside the program")
    })
    .await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_an_effect_under_way_end() {
    let (_test, db) = database().await;
    let (runner, shop) = (runner(&db), Shop::closed(&db));
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    eventually(WAIT, || async { shop.calls().len() == 1 }).await;
    let stopping = tokio::spawn(worker.stop());
    shop.gate.add_permits(1);
    stopping.await.unwrap();
    assert_eq!(label(&runner, id).await, "bought");
    assert_eq!(shop.calls().len(), 1, "nothing new is begun");
}

#[tokio::test]
async fn a_database_that_was_away_is_waited_for() {
    let server = Postgres::start().await;
    let test = server.fresh_database().await;
    ferrex_postgres::provision(&test.admin_url, &SCHEMA, &password())
        .await
        .unwrap();
    let db = connect(&test.url).await;
    let (runner, shop) = (runner(&db), Shop::closed(&db));
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    eventually(WAIT, || async { shop.calls().len() == 1 }).await;
    server.stop().await;
    shop.script
        .lock()
        .unwrap()
        .push_back(Performed::Done(Input::Paid {
            receipt: "paid while away".to_owned(),
        }));
    shop.gate.add_permits(10);
    server.start_again().await;
    reaches(&runner, id, "delivered").await;
    assert_eq!(runner.history(id).await.unwrap().len(), 4);
    worker.stop().await;
}

#[tokio::test]
async fn two_workers_share_the_work_and_do_nothing_twice() {
    let (test, db) = database().await;
    let first = runner(&db);
    let other_db = connect(&test.url).await;
    let second: Runner<Errand> = runner(&other_db);
    let (left, right) = (Shop::open(&db), Shop::open(&other_db));
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(order(&first).await);
    }
    let workers = [Worker::start(&first, &left), Worker::start(&second, &right)];
    for id in &ids {
        reaches(&first, *id, "delivered").await;
        assert_eq!(
            world(&db, *id)
                .await
                .iter()
                .map(|(_, times)| *times)
                .collect::<Vec<_>>(),
            [1, 1]
        );
    }
    assert_eq!(left.calls().len() + right.calls().len(), 80);
    for worker in workers {
        worker.stop().await;
    }
}
