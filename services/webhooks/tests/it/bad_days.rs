use ferrex_testkit::{Postgres, eventually};

use crate::{App, BODY, DEADLINE, OLD, prepare};

#[tokio::test]
async fn f064_h064_without_the_database_the_answer_is_503_and_the_repeat_is_taken() {
    let postgres = Postgres::start().await;
    let db = postgres.fresh_database().await;
    prepare(db.clone()).await;
    let app = App::new(&db, &[OLD]).await;
    app.run();
    let seen = app.read();
    app.send(app.signed(OLD, "evt_1", BODY)).await;
    app.settle().await;

    postgres.kill9().await;
    let (status, code) = app.send(app.signed(OLD, "evt_2", BODY)).await;
    assert_eq!((status, code.as_str()), (503, "postgres.unavailable"));

    postgres.start_again().await;
    eventually(DEADLINE, || async {
        app.send(app.signed(OLD, "evt_2", BODY)).await.0 == 204
    })
    .await;
    eventually(DEADLINE, || async { seen.lock().unwrap().len() >= 2 }).await;
    app.settle().await;
    let ids: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|event| event.event_id.clone())
        .collect();
    assert_eq!(ids, ["evt_1", "evt_2"]);
}
