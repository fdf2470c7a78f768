use ferrex_cron::{CatchUp, Schedule};
use ferrex_testkit::{Postgres, eventually};
use ferrex_time::Duration;

use crate::{DEADLINE, JOB, Member, clock, database, prepare};

#[tokio::test]
async fn the_jobs_are_there_from_the_first_start() {
    let (db, clock) = (database().await, clock());
    let member = Member::new(&db, &clock).await;
    let _running = member.run();
    eventually(DEADLINE, || async {
        member
            .service
            .list_schedules()
            .await
            .is_ok_and(|all| !all.is_empty())
    })
    .await;
    let jobs: Vec<String> = member
        .service
        .list_schedules()
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.job)
        .collect();
    assert_eq!(
        jobs,
        [
            "delivery_retry",
            "fee_tiers",
            "hold_expiry",
            "ledger_audit",
            "order_expiry",
            "session_cleanup"
        ]
    );
}

#[tokio::test]
async fn a_worker_that_was_down_finds_the_ticks_waiting_in_order() {
    let (db, clock) = (database().await, clock());
    let member = Member::new(&db, &clock).await;
    let _running = member.run();
    member.only_hourly(CatchUp::RunAll).await;
    for _ in 0..3 {
        clock.advance(Duration::hours(1));
        member.settle(&clock).await;
    }
    let seen = member.work(&db).await;
    eventually(DEADLINE, || async {
        seen.lock().unwrap().iter().filter(|tick| tick.job == JOB).count() == 3
    })
    .await;
    let hours: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .filter(|tick| tick.job == JOB)
        .map(|tick| tick.scheduled_for.format("%H:%M").to_string())
        .collect();
    assert_eq!(hours, ["13:00", "14:00", "15:00"]);
}

#[tokio::test]
async fn h080_what_passed_while_nobody_led_is_caught_up_as_declared() {
    for (policy, expected, skipped) in [
        (CatchUp::RunAll, vec!["01 13:00", "01 14:00", "01 15:00"], 0),
        (CatchUp::RunOnce, vec!["01 15:00"], 2),
        (CatchUp::Skip, vec![], 3),
    ] {
        let (db, clock) = (database().await, clock());
        let before = Member::new(&db, &clock).await;
        let running = before.run();
        before.only_hourly(policy).await;
        before.shutdown.cancel();
        running.await.unwrap();

        clock.advance(Duration::minutes(182));
        let after = Member::new(&db, &clock).await;
        let _running = after.run();
        after.settle(&clock).await;
        assert_eq!(after.runs().await, expected, "{policy:?}");
        let board = after.service.list_schedules().await.unwrap();
        let row = board.iter().find(|row| row.job == JOB).unwrap();
        assert_eq!(row.skipped, skipped, "the board shows what was left out");
    }
}

#[tokio::test]
async fn h079_a_clock_that_steps_back_runs_nothing_twice() {
    let (db, clock) = (database().await, clock());
    let member = Member::new(&db, &clock).await;
    let _running = member.run();
    member.only_hourly(CatchUp::RunAll).await;
    clock.advance(Duration::hours(2));
    member.settle(&clock).await;
    clock.advance(Duration::hours(-2));
    member.settle(&clock).await;
    clock.advance(Duration::hours(3));
    member.settle(&clock).await;
    assert_eq!(member.runs().await, ["01 13:00", "01 14:00", "01 15:00"]);
}

#[tokio::test]
async fn a_changed_schedule_begins_now_and_a_bad_one_is_refused() {
    let (db, clock) = (database().await, clock());
    let member = Member::new(&db, &clock).await;
    let _running = member.run();
    member.only_hourly(CatchUp::RunAll).await;
    assert!(Schedule::parse("0 0 31 * *", "UTC", CatchUp::Skip).is_err());
    let daily = Schedule::parse("0 0 * * *", "Asia/Tokyo", CatchUp::RunAll).unwrap();
    assert!(
        member
            .service
            .change_schedule("nothing", &daily, true)
            .await
            .is_err()
    );
    member.service.change_schedule(JOB, &daily, true).await.unwrap();
    clock.advance(Duration::hours(24));
    member.settle(&clock).await;
    assert_eq!(member.runs().await, ["01 15:00"]);
}

#[tokio::test]
async fn the_database_may_go_and_come_back() {
    let postgres = Postgres::start().await;
    let db = postgres.fresh_database().await;
    prepare(db.clone()).await;
    let clock = clock();
    let member = Member::new(&db, &clock).await;
    let _running = member.run();
    member.only_hourly(CatchUp::RunAll).await;
    postgres.kill9().await;
    clock.advance(Duration::hours(2));
    postgres.start_again().await;
    eventually(DEADLINE, || async {
        member.service.list_schedules().await.is_ok()
    })
    .await;
    member.settle(&clock).await;
    assert_eq!(member.runs().await, ["01 13:00", "01 14:00"]);
}
