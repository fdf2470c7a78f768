use ferrex_flows::Actor;
use ferrex_ids::InboundEventId;
use ferrex_testkit::eventually;
use ferrex_time::Duration;
use futures::future::join_all;

use crate::{App, BODY, DEADLINE, OLD, database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f104_the_same_webhook_a_hundred_times_at_once_has_one_effect() {
    let app = App::new(&database().await, &[OLD]).await;
    app.run();
    let seen = app.read();
    let answers = join_all((0..100).map(|_| app.send(app.signed(OLD, "evt_1", BODY)))).await;
    assert!(answers.iter().all(|answer| answer.0 == 204), "{answers:?}");
    eventually(DEADLINE, || async { !seen.lock().unwrap().is_empty() }).await;
    app.settle().await;
    // A second event goes the same way behind the first: when it is seen, nothing else of the first is to come.
    app.send(app.signed(OLD, "evt_2", BODY)).await;
    eventually(DEADLINE, || async {
        seen.lock().unwrap().iter().any(|event| event.event_id == "evt_2")
    })
    .await;
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen.iter()
            .map(|event| event.event_id.as_str())
            .collect::<Vec<_>>(),
        ["evt_1", "evt_2"]
    );
    assert_eq!(
        (seen[0].source.as_str(), seen[0].body.as_str()),
        ("identity", BODY)
    );
}

#[tokio::test]
async fn events_of_one_object_arrive_in_the_order_they_came() {
    let app = App::new(&database().await, &[OLD]).await;
    let seen = app.read();
    let expected: Vec<String> = (0..20).map(|number| format!("evt_{number}")).collect();
    app.run();
    for id in &expected {
        app.send(app.signed(OLD, id, BODY)).await;
        app.settle().await;
    }
    eventually(DEADLINE, || async {
        seen.lock().unwrap().len() == expected.len()
    })
    .await;
    let ids: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|event| event.event_id.clone())
        .collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_replay_is_handled_once_more() {
    let app = App::new(&database().await, &[OLD]).await;
    app.run();
    let seen = app.read();
    app.send(app.signed(OLD, "evt_1", BODY)).await;
    eventually(DEADLINE, || async { seen.lock().unwrap().len() == 1 }).await;
    app.settle().await;
    let id = seen.lock().unwrap()[0].event;
    app.service.replay(id, &Actor::SYSTEM).await.unwrap();
    eventually(DEADLINE, || async { seen.lock().unwrap().len() == 2 }).await;
    assert_eq!(seen.lock().unwrap()[1].event, id);
    assert!(
        app.service
            .replay(InboundEventId::new_at(1), &Actor::SYSTEM)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn h066_a_stored_event_without_a_flow_is_found_by_the_sweep() {
    let app = App::new(&database().await, &[OLD]).await;
    app.send(app.signed(OLD, "evt_1", BODY)).await;
    sqlx::raw_sql("DELETE FROM flow_effect; DELETE FROM flow_history; DELETE FROM flow;")
        .execute(app.db.pool())
        .await
        .unwrap();
    assert_eq!(
        app.service.sweep().await.unwrap(),
        0,
        "it may still be on its way"
    );
    app.clock.advance(Duration::seconds(61));
    assert_eq!(app.service.sweep().await.unwrap(), 1);
    app.run();
    let seen = app.read();
    eventually(DEADLINE, || async { seen.lock().unwrap().len() == 1 }).await;
    app.settle().await;
    assert_eq!(app.service.sweep().await.unwrap(), 0);
}
