use ferrex_cron::CatchUp;
use ferrex_testkit::eventually;
use ferrex_time::Duration;

use crate::{DEADLINE, JOB, Member, clock, database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f096_two_leaders_give_each_moment_one_tick() {
    let (db, clock) = (database().await, clock());
    let (first, second) = (Member::new(&db, &clock).await, Member::new(&db, &clock).await);
    let _running = (first.run(), second.run());
    first.only_hourly(CatchUp::RunAll).await;
    let seen = first.work(&db).await;
    for round in 1..=24 {
        clock.advance(Duration::hours(1));
        // The lease is taken from whoever has it, in the middle of its work, so both believe to lead again and again.
        sqlx::query("UPDATE leader SET until = '-infinity' WHERE $1 % 2 = 0")
            .bind(round)
            .execute(first.db.pool())
            .await
            .unwrap();
        first.settle(&clock).await;
    }
    assert_eq!(first.runs().await.len(), 24);
    eventually(DEADLINE, || async { seen.lock().unwrap().len() >= 24 }).await;
    let mut moments: Vec<_> = seen
        .lock()
        .unwrap()
        .iter()
        .filter(|tick| tick.job == JOB)
        .map(|tick| tick.scheduled_for)
        .collect();
    let count = moments.len();
    moments.dedup();
    assert_eq!((count, moments.len()), (24, 24));
    assert!(moments.is_sorted());
}

#[tokio::test]
async fn i013_a_deposed_leader_cannot_tick() {
    let (db, clock) = (database().await, clock());
    let member = Member::new(&db, &clock).await;
    let running = member.run();
    member.only_hourly(CatchUp::RunAll).await;
    // A successor takes over for a year; the lease the member holds is void.
    sqlx::query(
        "UPDATE leader SET holder = gen_random_uuid(), epoch = epoch + 1, until = now() + interval '1 year'",
    )
    .execute(member.db.pool())
    .await
    .unwrap();
    clock.advance(Duration::hours(3));
    member.shutdown.cancel();
    running.await.unwrap();
    let given: Vec<String> = member.runs().await;
    assert!(given.is_empty(), "{given:?}");
}

#[tokio::test]
async fn a_member_that_leaves_hands_over_at_once_and_one_that_vanishes_after_its_lease() {
    let (db, clock) = (database().await, clock());
    let (first, second) = (Member::new(&db, &clock).await, Member::new(&db, &clock).await);
    let running = first.run();
    first.only_hourly(CatchUp::RunAll).await;
    let epoch = async || {
        sqlx::query_scalar::<_, i64>("SELECT epoch FROM leader")
            .fetch_one(second.db.pool())
            .await
            .unwrap()
    };
    assert_eq!(epoch().await, 1);
    first.shutdown.cancel();
    running.await.unwrap();
    let running = second.run();
    eventually(DEADLINE, || async { epoch().await == 2 }).await;
    running.abort();
    let third = Member::new(&db, &clock).await;
    let _running = third.run();
    eventually(DEADLINE, || async { epoch().await == 3 }).await;
    clock.advance(Duration::hours(1));
    third.settle(&clock).await;
    assert_eq!(third.runs().await, ["01 13:00"]);
}

#[tokio::test]
async fn i013_a_take_over_waits_for_the_tick_that_is_being_given() {
    let (db, clock) = (database().await, clock());
    let member = Member::new(&db, &clock).await;
    let _running = member.run();
    member.only_hourly(CatchUp::RunAll).await;

    // Whoever holds the schedule's row stops the tick between its look at the lease and its commit.
    let mut held = member.db.begin().await.unwrap();
    sqlx::query("SELECT FROM schedule WHERE job = $1 FOR UPDATE")
        .bind(JOB)
        .execute(&mut *held)
        .await
        .unwrap();
    clock.advance(Duration::hours(1));
    let waiting = "SELECT count(*) > 0 FROM pg_stat_activity
                    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM schedule WHERE job%'";
    eventually(DEADLINE, || async {
        sqlx::query_scalar::<_, bool>(waiting)
            .fetch_one(member.db.pool())
            .await
            .unwrap()
    })
    .await;
    let take_over = sqlx::query("SELECT FROM leader FOR UPDATE NOWAIT")
        .execute(member.db.pool())
        .await;
    let refused = take_over.unwrap_err();
    assert_eq!(
        refused
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .as_deref(),
        Some("55P03")
    );

    held.rollback().await.unwrap();
    member.settle(&clock).await;
    assert_eq!(member.runs().await, ["01 13:00"]);
}
