use std::sync::atomic::Ordering;

use ferrex_flows::{Actor, Error, Runner};
use ferrex_testkit::eventually;
use ferrex_time::SystemClock;

use crate::errand::*;

#[tokio::test]
async fn a_refused_outcome_parks_the_flow_and_is_taken_once_it_is_understood() {
    let (_test, db) = database().await;
    let errand = Errand::default();
    errand.strict.store(true, Ordering::SeqCst);
    let runner = Runner::new(errand.clone(), db.clone(), SystemClock::shared(), options());
    let shop = Shop::open(&db);
    let worker = Worker::start(&runner, &shop);
    let id = order(&runner).await;
    let parked = eventually(WAIT, || async { runner.parked(10).await.unwrap().pop() }).await;
    assert_eq!((parked.id, parked.label.as_str()), (id, "requested"));
    assert!(
        parked.reason.contains("this receipt is not understood"),
        "{}",
        parked.reason
    );

    let still_refused = runner.unpark(id, &Actor::SYSTEM).await.unwrap_err();
    assert!(matches!(still_refused, Error::Refused { .. }));
    assert_eq!(runner.parked(10).await.unwrap().len(), 1);

    errand.strict.store(false, Ordering::SeqCst);
    runner.unpark(id, &Actor::SYSTEM).await.unwrap();
    reaches(&runner, id, "delivered").await;
    assert!(runner.parked(10).await.unwrap().is_empty());
    let buys = shop
        .calls()
        .iter()
        .filter(|(_, action)| matches!(action, Action::Buy { .. }))
        .count();
    assert_eq!(buys, 1, "the outcome was kept, so it was not bought again");
    worker.stop().await;
}

#[tokio::test]
async fn an_action_that_cannot_be_read_parks_the_flow_and_is_performed_after_repair() {
    let (_test, db) = database().await;
    let (runner, shop) = (runner(&db), Shop::open(&db));
    let id = order(&runner).await;
    let set = |json: &'static str| {
        let db = db.clone();
        async move {
            let sql = "UPDATE flow_effect SET action = $1::text::jsonb WHERE flow_id = $2";
            sqlx::query(sql)
                .bind(json)
                .bind(id.uuid())
                .execute(db.pool())
                .await
                .unwrap();
        }
    };
    set(r#"{"type": "steal"}"#).await;
    let worker = Worker::start(&runner, &shop);
    let parked = eventually(WAIT, || async { runner.parked(10).await.unwrap().pop() }).await;
    assert!(parked.reason.contains("steal"), "{}", parked.reason);
    set(r#"{"type": "buy", "item": "bread"}"#).await;
    runner.unpark(id, &Actor::SYSTEM).await.unwrap();
    reaches(&runner, id, "delivered").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_state_of_an_unknown_version_parks_the_flow() {
    let (_test, db) = database().await;
    let (runner, shop) = (runner(&db), Shop::open(&db));
    let id = order(&runner).await;
    let set = |version: i32| {
        let db = db.clone();
        async move {
            sqlx::query("UPDATE flow SET version = $1")
                .bind(version)
                .execute(db.pool())
                .await
                .unwrap();
        }
    };
    set(7).await;
    let worker = Worker::start(&runner, &shop);
    let parked = eventually(WAIT, || async { runner.parked(10).await.unwrap().pop() }).await;
    assert!(parked.reason.contains("version 7"), "{}", parked.reason);
    set(1).await;
    runner.unpark(id, &Actor::SYSTEM).await.unwrap();
    reaches(&runner, id, "delivered").await;
    worker.stop().await;
}
