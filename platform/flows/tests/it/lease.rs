use ferrex_flows::Options;
use ferrex_flows::Runner;
use ferrex_ids::FlowId;
use ferrex_postgres::Db;
use ferrex_testkit::eventually;
use ferrex_time::SystemClock;
use std::time::Duration;

use crate::errand::*;

/// As if the holder of the lease had been frozen for longer than it.
async fn let_the_lease_run_out(db: &Db, id: FlowId) {
    let sql = "UPDATE flow_effect SET due_at = clock_timestamp() WHERE flow_id = $1 AND status = 'pending'";
    sqlx::query(sql).bind(id.uuid()).execute(db.pool()).await.unwrap();
}

#[tokio::test]
async fn h067_a_worker_whose_lease_ran_out_is_fenced_off() {
    let (_test, db) = database().await;
    let runner = runner(&db);
    let (frozen, quick) = (Shop::closed(&db), Shop::open(&db));
    // With its one place taken the zombie looks for nothing more, and it still has this effect in its hands.
    let one_place = Options {
        concurrency: 1,
        ..options()
    };
    let one_place = Runner::new(Errand::default(), db.clone(), SystemClock::shared(), one_place);
    let zombie = Worker::start(&one_place, &frozen);
    let id = order(&runner).await;
    eventually(WAIT, || async { frozen.calls().len() == 1 }).await;
    zombie.stop.cancel();
    let_the_lease_run_out(&db, id).await;
    let successor = Worker::start(&runner, &quick);
    reaches(&runner, id, "delivered").await;
    let before = runner.history(id).await.unwrap().len();
    frozen.gate.add_permits(1);
    zombie.stop().await;
    assert_eq!(
        runner.history(id).await.unwrap().len(),
        before,
        "the zombie's outcome does not count"
    );
    // Had it been offered to the flow, the flow would have refused it and been parked.
    assert!(runner.parked(10).await.unwrap().is_empty());
    let buys: Vec<_> = world(&db, id)
        .await
        .into_iter()
        .filter(|(action, _)| action.starts_with("Buy"))
        .collect();
    assert_eq!(buys.len(), 1, "both used the same id");
    assert_eq!(frozen.calls()[0].0.effect, quick.calls()[0].0.effect);
    successor.stop().await;
}

#[tokio::test]
async fn h067_a_slow_effect_keeps_its_lease_by_heartbeat() {
    let (_test, db) = database().await;
    let short = Options {
        lease: Duration::from_secs(2),
        ..options()
    };
    let runner = Runner::new(Errand::default(), db.clone(), SystemClock::shared(), short);
    let shop = Shop::closed(&db);
    let workers = [Worker::start(&runner, &shop), Worker::start(&runner, &shop)];
    let id = order(&runner).await;
    eventually(WAIT, || async { shop.calls().len() == 1 }).await;
    let first_lease_ends = runner.get(id).await.unwrap().unwrap().pending[0].next_attempt_at;
    eventually(WAIT, || async {
        let view = runner.get(id).await.unwrap().unwrap();
        view.pending[0].next_attempt_at > first_lease_ends + ferrex_time::Duration::milliseconds(2_100)
    })
    .await;
    assert_eq!(shop.calls().len(), 1, "nobody took it over");
    shop.gate.add_permits(10);
    reaches(&runner, id, "delivered").await;
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn h067_a_dead_worker_is_succeeded_when_its_lease_runs_out() {
    let (_test, db) = database().await;
    let short = Options {
        lease: Duration::from_millis(500),
        ..options()
    };
    let runner = Runner::new(Errand::default(), db.clone(), SystemClock::shared(), short);
    let (dead, alive) = (Shop::closed(&db), Shop::open(&db));
    let doomed = Worker::start(&runner, &dead);
    let id = order(&runner).await;
    eventually(WAIT, || async { dead.calls().len() == 1 }).await;
    drop(doomed);
    let successor = Worker::start(&runner, &alive);
    reaches(&runner, id, "delivered").await;
    assert_eq!(alive.calls()[0].0.attempt, 2);
    assert_eq!(alive.calls()[0].0.effect, dead.calls()[0].0.effect);
    successor.stop().await;
}
