use ferrex_bus::{Bus, Outgoing};
use ferrex_contracts::Message as _;
use ferrex_contracts::cron::CronTick;
use ferrex_contracts::engine::LedgerAudited;
use ferrex_engine::Config;
use ferrex_ids::MessageId;
use ferrex_testkit::{TestDb, eventually};
use ferrex_time::{Clock as _, SystemClock, Timestamp};

use crate::relay::embedded_bus;
use crate::support::*;

async fn tick(bus: &Bus, job: &str) {
    let now = SystemClock.now();
    let tick = CronTick {
        job: job.to_owned(),
        scheduled_for: now,
    };
    let id = MessageId::new_at(SystemClock.unix_ms());
    let message = Outgoing::event("cron", id, job, now, &tick);
    bus.publish(vec![message]).await.unwrap();
}

/// What was told of audits, once there is as much.
async fn told(db: &TestDb, count: usize) -> Vec<LedgerAudited> {
    let pool = look(db).await;
    let told = || async {
        let bodies: Vec<Vec<u8>> =
            sqlx::query_scalar(r#"SELECT body FROM bus.record WHERE topic = $1 ORDER BY "offset""#)
                .bind(LedgerAudited::TOPIC)
                .fetch_all(&pool)
                .await
                .unwrap();
        if bodies.len() < count {
            return Err(bodies.len());
        }
        Ok(bodies
            .iter()
            .map(|body| serde_json::from_slice(body).unwrap())
            .collect())
    };
    eventually(SOON, told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_is_made_of_a_tick_and_told() {
    let db = database().await;
    let bus = embedded_bus(&db).await;
    let engine = start_with(&db, Config::default(), Some(bus.clone())).await;
    submit(&engine.client, &deposit(new_id(), 100)).await;
    tick(&bus, "session_cleanup").await;
    tick(&bus, "ledger_audit").await;
    let first = told(&db, 1).await;
    assert_eq!((first.len(), first[0].findings), (1, 0));

    // What a superuser changes is found, and both the process and the others are told.
    sqlx::raw_sql("UPDATE engine.balance_block SET available[1] = available[1] + 1")
        .execute(&look(&db).await)
        .await
        .unwrap();
    tick(&bus, "ledger_audit").await;
    let second = told(&db, 2).await;
    assert!(second[1].findings > 0 && second[1].assets.contains(&COIN));
    assert!(second[1].at > first[0].at);
    assert!(!engine.readiness.is_ready());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_a_process_took_with_it_is_made_by_the_next() {
    let db = database().await;
    let bus = embedded_bus(&db).await;
    let asked_at: Timestamp =
        sqlx::query_scalar("UPDATE engine.audit SET asked_at = now() RETURNING asked_at")
            .fetch_one(&look(&db).await)
            .await
            .unwrap();
    let engine = start_with(&db, Config::default(), Some(bus)).await;
    let told = told(&db, 1).await;
    assert_eq!((told[0].at, told[0].findings), (asked_at, 0));
    let is_made = || async {
        let waits: bool = sqlx::query_scalar("SELECT asked_at > answered_at FROM engine.audit")
            .fetch_one(&look(&db).await)
            .await
            .unwrap();
        if waits { Err("it waits still") } else { Ok(()) }
    };
    eventually(SOON, is_made).await;
    finish(engine, &db).await;
}
