//! What only the embedded transport promises.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferrex_bus::{Bus, Router, TransportConfig};
use ferrex_contracts::{Message, Request};
use ferrex_testkit::{Postgres, eventually};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Semaphore;

use crate::world::{Answer, SOON, World, event, message, write_effect, writing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f062_a_member_taken_for_dead_finishes_late_without_a_second_effect() {
    message!(Happened, "f062");
    let world = World::embedded().await;
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inner_gate, inner_begun) = (Arc::clone(&gate), Arc::clone(&begun));
    let router = Router::new("f062").on_event::<Happened, _>(move |delivery, message, tx| {
        let (gate, begun) = (Arc::clone(&inner_gate), Arc::clone(&inner_begun));
        Box::pin(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            write_effect(tx, delivery, message.number, "zombie").await
        })
    });
    let zombie = world.replica(router).await;
    let bus = world.bus().await;
    bus.publish(vec![
        event("k", &Happened { number: 1 }),
        event("k", &Happened { number: 2 }),
    ])
    .await
    .unwrap();
    eventually(SOON, || async { begun.load(Ordering::SeqCst) == 1 }).await;
    // The others removed it: its partitions are free under a new epoch.
    let mut connection = Postgres::shared().await.superuser(&world.test_db).await;
    sqlx::raw_sql(
        "SELECT FROM bus.consumer_group FOR UPDATE;
         UPDATE bus.claim SET member = NULL, epoch = epoch + 1;
         DELETE FROM bus.member",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let second = world.replica(writing!("f062", Happened, "heir")).await;
    gate.add_permits(100);
    world.caught_up(&bus, "f062", Happened::TOPIC).await;
    let numbers: Vec<i64> = world
        .effects()
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    assert_eq!(numbers, [1, 2]);
    zombie.leave().await;
    second.leave().await;
}

/// Once nothing changes, beats only say that the member lives. Each way in which that stops must be seen by the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settled_member_takes_up_what_changes_without_a_word() {
    message!(Happened, "settled");
    let world = World::embedded().await;
    let replica = world.replica(writing!("settled", Happened, "a")).await;
    let bus = world.bus().await;
    let publish = async |bus: &Bus, from: i64| {
        let messages = (from..from + 40).map(|number| event(&format!("k{number}"), &Happened { number }));
        bus.publish(messages.collect()).await.unwrap();
    };
    publish(&bus, 0).await;
    world.effects_reach(40).await;
    let last_beat = || async {
        let mut superuser = Postgres::shared().await.superuser(&world.test_db).await;
        let last: String = sqlx::query_scalar("SELECT max(seen_at)::text FROM bus.member")
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        last
    };
    let before = last_beat().await;
    eventually(SOON, || async { last_beat().await > before }).await;

    let mut superuser = Postgres::shared().await.superuser(&world.test_db).await;
    // By hand, so that no bell rings: a partition more, whose messages only a member that claims it gets.
    sqlx::raw_sql(
        "UPDATE bus.topic SET partitions = partitions + 1;
         INSERT INTO bus.head (topic, partition) SELECT name, partitions - 1 FROM bus.topic",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    let wider = world.bus().await;
    publish(&wider, 40).await;
    world.effects_reach(80).await;
    let in_the_new_one: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM bus.record r JOIN bus.topic t ON t.name = r.topic AND r.partition = t.partitions - 1",
    )
    .fetch_one(&mut superuser)
    .await
    .unwrap();
    assert!(in_the_new_one > 0, "none of 40 keys fell into the new partition");

    // Somebody who took it for dead has gone again: its partitions are nobody's.
    sqlx::raw_sql(
        "UPDATE bus.claim SET member = NULL, epoch = epoch + 1;
         DELETE FROM bus.member",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    publish(&wider, 80).await;
    let effects = world.effects_reach(120).await;
    let numbers: BTreeSet<i64> = effects.iter().map(|effect| effect.number).collect();
    assert_eq!((effects.len(), numbers.len()), (120, 120));
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f072_messages_flow_on_after_the_database_was_killed() {
    message!(Happened, "f072");
    message!(Double, "f072.requests");
    impl Request for Double {
        type Reply = Answer;
    }
    let postgres = Postgres::start().await;
    let world = World::embedded_on(&postgres).await;
    let router = writing!("f072", Happened, "a").on_request::<Double, _, _>(|_, request| async move {
        Ok(Answer {
            number: request.number * 2,
        })
    });
    let replica = world.replica(router).await;
    let relay = world.relay().await;
    let bus = world.bus().await;
    world.put(&event("k", &Happened { number: 0 })).await;
    world.effects_reach(1).await;
    assert_eq!(
        bus.request("k", &Double { number: 4 }, SOON)
            .await
            .unwrap()
            .number,
        8
    );
    for number in 1..=2 {
        postgres.kill9().await;
        assert!(bus.ping().await.is_err());
        postgres.start_again().await;
        eventually(SOON, || async { bus.ping().await }).await;
        world.put(&event("k", &Happened { number })).await;
        world.effects_reach(usize::try_from(number).unwrap() + 1).await;
        eventually(SOON, || {
            bus.request("k", &Double { number: 4 }, Duration::from_secs(2))
        })
        .await;
    }
    let numbers: Vec<i64> = world
        .effects()
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    assert_eq!(numbers, [0, 1, 2]);
    relay.leave().await;
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_leave_no_hole_in_the_log() {
    message!(Happened, "holes");
    let world = World::embedded().await;
    let bus = world.bus().await;
    let publishers = (0..8).map(|publisher| {
        let bus = bus.clone();
        tokio::spawn(async move {
            for number in 0..25 {
                let messages = (0..4)
                    .map(|key| event(&format!("k{publisher}-{key}"), &Happened { number }))
                    .collect();
                bus.publish(messages).await.unwrap();
            }
        })
    });
    for done in futures::future::join_all(publishers).await {
        done.unwrap();
    }
    let mut connection = Postgres::shared().await.superuser(&world.test_db).await;
    let (messages, holes): (i64, i64) = sqlx::query_as(
        "SELECT sum(messages)::bigint, count(*) FILTER (WHERE messages <> next_offset OR first <> 0 OR last <> messages - 1)
         FROM (SELECT topic, partition, count(*) AS messages, min(\"offset\") AS first, max(\"offset\") AS last
               FROM bus.record GROUP BY 1, 2) AS r JOIN bus.head USING (topic, partition)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((messages, holes), (800, 0));
}

/// Makes a group that goes on at `position`, or at the end of a partition that is shorter.
async fn has_come_to(connection: &mut PgConnection, group: &str, topic: &str, position: i64) {
    sqlx::query(
        "WITH made AS (INSERT INTO bus.consumer_group VALUES ($1) RETURNING name)
         INSERT INTO bus.claim (consumer_group, topic, partition, position)
         SELECT name, topic, partition, least(next_offset, $3) FROM made CROSS JOIN bus.head WHERE topic = $2",
    )
    .bind(group)
    .bind(topic)
    .bind(position)
    .execute(connection)
    .await
    .unwrap();
}

/// What is published together is one row; a group may have stopped within it, and one row may hold more than a reader takes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_within_what_was_published_together() {
    message!(Happened, "within");
    let mut world = World::embedded().await;
    if let TransportConfig::Embedded(config) = &mut world.transport {
        // Nobody looks a second time by itself.
        config.look_every = Duration::from_hours(1);
    }
    let bus = world.bus().await;
    for batch in [0..1_200, 1_200..1_203, 1_203..2_000] {
        bus.publish(batch.map(|number| event("k", &Happened { number })).collect())
            .await
            .unwrap();
    }
    let mut connection = Postgres::shared().await.superuser(&world.test_db).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM bus.record_batch WHERE topic = 'svc.within.v1'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(rows, 3);
    has_come_to(&mut connection, "within", Happened::TOPIC, 1_190).await;
    let replica = world.replica(writing!("within", Happened, "a")).await;
    let effects = world.effects_reach(810).await;
    let numbers: Vec<i64> = effects.iter().map(|effect| effect.number).collect();
    assert!(numbers.iter().copied().eq(1_190..2_000), "{numbers:?}");
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_takes_milliseconds_between_two_connections() {
    message!(Double, "latency.requests");
    impl Request for Double {
        type Reply = Answer;
    }
    let world = World::embedded().await;
    let router = Router::new("latency").on_request::<Double, _, _>(|_, request| async move {
        Ok(Answer {
            number: request.number * 2,
        })
    });
    let replica = world.replica(router).await;
    let bus = world.bus().await;
    bus.request("k", &Double { number: 0 }, SOON).await.unwrap();
    let mut times = Vec::new();
    for number in 0..200 {
        let started = Instant::now();
        bus.request("k", &Double { number }, SOON).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!(
        "request over the embedded bus: p50 {:?}, p99 {:?}",
        times[100], times[198]
    );
    // Far above what is aimed at (5 ms) and far below the fallback poll (250 ms): it is the wake-up that is tested.
    assert!(times[100].as_millis() < 100, "{:?}", times[100]);
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_removes_what_is_old_and_read_by_every_group() {
    message!(Happened, "retention");
    let mut world = World::embedded().await;
    if let TransportConfig::Embedded(config) = &mut world.transport {
        config.clean_every = Duration::from_millis(50);
    }
    let bus = world.bus().await;
    let reader = world.replica(writing!("retention", Happened, "a")).await;
    for number in (0..10).step_by(2) {
        let two = [number, number + 1].map(|number| event("k", &Happened { number }));
        bus.publish(two.into()).await.unwrap();
    }
    world.caught_up(&bus, "retention", Happened::TOPIC).await;
    // Another group has read five of them, so half of what came third, and the last two are young.
    let mut connection = Postgres::shared().await.superuser(&world.test_db).await;
    has_come_to(&mut connection, "slow", Happened::TOPIC, 5).await;
    sqlx::raw_sql("UPDATE bus.record_batch SET at = now() - interval '15 days' WHERE last_offset < 8")
        .execute(&mut connection)
        .await
        .unwrap();
    let left = async |connection: &mut PgConnection| -> Vec<i64> {
        let left = sqlx::query_scalar("SELECT \"offset\" FROM bus.record ORDER BY \"offset\"");
        left.fetch_all(connection).await.unwrap()
    };
    let deadline = Instant::now() + SOON;
    while left(&mut connection).await.len() > 6 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(left(&mut connection).await, [4, 5, 6, 7, 8, 9]);
    sqlx::raw_sql("UPDATE bus.claim SET position = 10 WHERE consumer_group = 'slow'")
        .execute(&mut connection)
        .await
        .unwrap();
    while left(&mut connection).await.len() > 2 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(left(&mut connection).await, [8, 9]);
    reader.leave().await;
    // The inbox is cleaned by age too.
    assert_eq!(ferrex_bus::inbox::clean(&world.db, 30).await.unwrap(), 0);
    sqlx::query("UPDATE inbox SET received_at = now() - interval '31 days' WHERE message_id IN (SELECT message_id FROM effect WHERE number < 4)")
        .execute(world.db.pool())
        .await
        .unwrap();
    assert_eq!(ferrex_bus::inbox::clean(&world.db, 30).await.unwrap(), 4);
}

#[tokio::test]
async fn the_schema_is_the_one_that_is_checked_in() {
    let database = crate::world::prepared_database(Postgres::shared().await).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    ferrex_postgres::assert_schema_matches(&database.admin_url, "bus", path).await;
}

#[tokio::test]
async fn messages_of_before_they_were_kept_by_the_batch_stay_in_their_places() {
    let db = Postgres::shared().await.fresh_database().await;
    let provision = async |spec| {
        ferrex_postgres::provision(&db.admin_url, &spec, &SecretString::from("test"))
            .await
            .unwrap();
    };
    provision(ferrex_postgres::schema_before(2, &ferrex_bus::EMBEDDED)).await;
    let mut connection = PgConnection::connect(&db.admin_url).await.unwrap();
    sqlx::raw_sql(
        r#"INSERT INTO bus.record (topic, partition, "offset", at, key, headers, body)
           VALUES ('a.v1', 0, 7, '2026-01-01T00:00Z', 'k', '[["x","y"]]', '{}'),
                  ('a.v1', 0, 8, '2026-01-02T00:00Z', NULL, '[]', NULL)"#,
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let mut rows = async || -> Vec<String> {
        let rows =
            sqlx::query_scalar(r#"SELECT r::text FROM bus.record AS r ORDER BY topic, partition, "offset""#);
        rows.fetch_all(&mut connection).await.unwrap()
    };
    let before = rows().await;
    assert_eq!(before.len(), 2);
    provision(ferrex_bus::EMBEDDED).await;
    assert_eq!(rows().await, before);
}
