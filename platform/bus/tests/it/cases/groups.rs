use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrex_bus::Router;
use ferrex_contracts::Message;
use ferrex_testkit::eventually;
use tokio::sync::Semaphore;

use crate::world::{SOON, World, event, message, write_effect, writing};

/// Publishes 40 messages under 40 keys and waits for their effects; answers who had them.
async fn round<M: Message>(
    world: &World,
    bus: &ferrex_bus::Bus,
    make: fn(i64) -> M,
    round: usize,
) -> HashSet<String> {
    let first = i64::try_from(round * 40).unwrap();
    let messages = (first..first + 40)
        .map(|number| event(&format!("k{number}"), &make(number)))
        .collect();
    bus.publish(messages).await.unwrap();
    let effects = world.effects_reach((round + 1) * 40).await;
    assert_eq!(effects.len(), (round + 1) * 40);
    effects
        .into_iter()
        .filter(|effect| effect.number >= first)
        .map(|effect| effect.worker)
        .collect()
}

pub async fn two_replicas_share_partitions_and_take_over(world: World) {
    message!(Happened, "share");
    let make = |number| Happened { number };
    let bus = world.bus().await;
    let a = world.replica(writing!("share", Happened, "a")).await;
    let mut rounds = 0;
    assert_eq!(
        round(&world, &bus, make, rounds).await,
        HashSet::from(["a".to_owned()])
    );
    let b = world.replica(writing!("share", Happened, "b")).await;
    // Sooner or later both have partitions.
    let both = HashSet::from(["a".to_owned(), "b".to_owned()]);
    let deadline = Instant::now() + SOON;
    loop {
        rounds += 1;
        assert!(
            Instant::now() < deadline,
            "the second replica never got a partition"
        );
        if round(&world, &bus, make, rounds).await == both {
            break;
        }
    }
    a.leave().await;
    assert_eq!(
        round(&world, &bus, make, rounds + 1).await,
        HashSet::from(["b".to_owned()])
    );
    // The last one dies; who comes after it takes over what it held.
    b.die().await;
    let c = world.replica(writing!("share", Happened, "c")).await;
    assert_eq!(
        round(&world, &bus, make, rounds + 2).await,
        HashSet::from(["c".to_owned()])
    );
    c.leave().await;
}

pub async fn a_graceful_leave_finishes_work_and_leaves_no_lag(world: World) {
    message!(Happened, "leave");
    let bus = world.bus().await;
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inner_gate, inner_begun) = (Arc::clone(&gate), Arc::clone(&begun));
    let router = Router::new("leave").on_event::<Happened, _>(move |delivery, message, tx| {
        let (gate, begun) = (Arc::clone(&inner_gate), Arc::clone(&inner_begun));
        Box::pin(async move {
            begun.add_permits(1);
            gate.acquire().await.unwrap().forget();
            write_effect(tx, delivery, message.number, "a").await
        })
    });
    let replica = world.replica(router).await;
    bus.publish(
        (0..4)
            .map(|number| event(&format!("k{number}"), &Happened { number }))
            .collect(),
    )
    .await
    .unwrap();
    begun.acquire_many(4).await.unwrap().forget();
    let leaving = tokio::spawn(replica.leave());
    gate.add_permits(4);
    leaving.await.unwrap();
    assert_eq!(world.effects().await.len(), 4);
    let lag = bus.lag("leave", &[Happened::TOPIC]).await.unwrap();
    assert!(
        lag.iter().all(|lag| lag.position.unwrap_or(lag.end) == lag.end),
        "{lag:?}"
    );
    assert_eq!(
        lag.iter().filter_map(|lag| lag.position).sum::<i64>(),
        4,
        "{lag:?}"
    );
}

/// From one replica to five and back, some in good order and some not, while messages come.
pub async fn f061_replicas_that_come_and_go_change_nothing(world: World) {
    const KEYS: usize = 12;
    message!(Happened, "f061");
    let bus = world.bus().await;
    let steady = world.replica(writing!("f061", Happened, "steady")).await;
    let mut sent = 0;
    for storm in 0..3 {
        let (mut others, calm) = (Vec::new(), sent);
        for name in ["a", "b", "c", "d"] {
            others.push(world.replica(writing!("f061", Happened, name)).await);
            publish_rounds(&bus, sent..sent + 5, KEYS, |number| Happened { number }).await;
            sent += 5;
        }
        // Some of it is handled before they go, and by one of them; the rest while they go.
        let deadline = Instant::now() + SOON;
        loop {
            let enough = KEYS * usize::try_from(sent - 10).unwrap();
            let effects = world.effects_reach(enough).await;
            if effects
                .iter()
                .any(|effect| effect.number >= calm && effect.worker != "steady")
            {
                break;
            }
            assert!(Instant::now() < deadline, "the others never got a partition");
            publish_rounds(&bus, sent..sent + 1, KEYS, |number| Happened { number }).await;
            sent += 1;
        }
        for (place, other) in others.into_iter().enumerate() {
            publish_rounds(&bus, sent..sent + 2, KEYS, |number| Happened { number }).await;
            sent += 2;
            if (place + storm) % 4 == 0 {
                other.die().await;
            } else {
                other.leave().await;
            }
        }
    }
    let effects = world.effects_reach(KEYS * usize::try_from(sent).unwrap()).await;
    world.caught_up(&bus, "f061", Happened::TOPIC).await;
    assert_eq!(world.effects().await.len(), effects.len(), "an effect came twice");
    for key in 0..KEYS {
        let name = format!("k{key}");
        let of_key = effects.iter().filter(|effect| effect.key == name);
        let numbers: Vec<i64> = of_key.map(|effect| effect.number).collect();
        assert_eq!(numbers, (0..sent).collect::<Vec<_>>(), "{name}");
    }
    steady.leave().await;
}

/// Scaled from one replica to four and back, twice, each way while messages wait and each one's handler takes its time; one
/// replica is replaced at full size, and in the second round one that scales down is not waited for.
pub async fn f089_scaling_up_and_down_under_load_loses_doubles_and_swaps_nothing(world: World) {
    const KEYS: usize = 24;
    message!(Happened, "f089");
    macro_rules! slow {
        ($worker:literal) => {
            Router::new("f089")
                .at_once(4, 1)
                .on_event::<Happened, _>(|delivery, message, tx| {
                    Box::pin(async move {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        write_effect(tx, delivery, message.number, $worker).await
                    })
                })
        };
    }
    let bus = world.bus().await;
    let mut sent = 0;
    let mut publish = async |rounds: i64| {
        publish_rounds(&bus, sent..sent + rounds, KEYS, |number| Happened { number }).await;
        sent += rounds;
        KEYS * usize::try_from(sent).unwrap()
    };
    let mut replicas = VecDeque::from([world.replica(slow!("first")).await]);
    for round in 0..2 {
        publish(10).await;
        for router in [slow!("a"), slow!("b"), slow!("c")] {
            replicas.push_back(world.replica(router).await);
            publish(10).await;
        }
        // One goes at full size, and another comes.
        replicas.pop_front().unwrap().leave().await;
        replicas.push_back(world.replica(slow!("d")).await);
        let all = publish(10).await;
        world.effects_reach(all / 2).await;
        while replicas.len() > 1 {
            let goes = replicas.pop_front().unwrap();
            if round == 1 && replicas.len() == 2 {
                goes.die().await;
            } else {
                goes.leave().await;
            }
            publish(5).await;
        }
    }
    let all = publish(1).await;
    let effects = world.effects_reach(all).await;
    world.caught_up(&bus, "f089", Happened::TOPIC).await;
    assert_eq!(world.effects().await.len(), all, "an effect came twice");
    for key in 0..KEYS {
        let name = format!("k{key}");
        let of_key = effects.iter().filter(|effect| effect.key == name);
        let numbers: Vec<i64> = of_key.map(|effect| effect.number).collect();
        let expected = i64::try_from(all / KEYS).unwrap();
        assert_eq!(numbers, (0..expected).collect::<Vec<_>>(), "{name}");
    }
    let workers: HashSet<&str> = effects.iter().map(|effect| effect.worker.as_str()).collect();
    assert!(workers.len() > 1, "the others never got a partition");
    replicas.pop_front().unwrap().leave().await;
}

async fn publish_rounds<M: Message>(
    bus: &ferrex_bus::Bus,
    numbers: std::ops::Range<i64>,
    keys: usize,
    make: impl Fn(i64) -> M,
) {
    for number in numbers {
        let messages = (0..keys).map(|key| event(&format!("k{key}"), &make(number)));
        bus.publish(messages.collect()).await.unwrap();
    }
}

pub async fn f005_crashes_before_offset_commit_have_one_effect(world: World) {
    const MESSAGES: usize = 300;
    message!(Happened, "f005");
    let bus = world.bus().await;
    let messages: Vec<_> = (0..MESSAGES)
        .map(|number| {
            event(
                &format!("k{}", number % 30),
                &Happened {
                    number: i64::try_from(number).unwrap(),
                },
            )
        })
        .collect();
    bus.publish(messages).await.unwrap();
    for crash in 1..=4 {
        let replica = world.replica(writing!("f005", Happened, "a")).await;
        world.effects_reach(crash * 50).await;
        replica.die().await;
    }
    let replica = world.replica(writing!("f005", Happened, "b")).await;
    world.caught_up(&bus, "f005", Happened::TOPIC).await;
    let mut numbers: Vec<i64> = world
        .effects()
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..i64::try_from(MESSAGES).unwrap()).collect::<Vec<_>>());
    replica.leave().await;
}

pub async fn f063_rewinding_the_whole_topic_changes_nothing(world: World) {
    message!(Happened, "f063");
    let bus = world.bus().await;
    bus.publish(
        (0..100)
            .map(|number| event(&format!("k{}", number % 7), &Happened { number }))
            .collect(),
    )
    .await
    .unwrap();
    let replica = world.replica(writing!("f063", Happened, "a")).await;
    let before = world.effects_reach(100).await;
    world.caught_up(&bus, "f063", Happened::TOPIC).await;
    replica.leave().await;
    for _ in 0..2 {
        world.rewind("f063", Happened::TOPIC).await;
        let lag = bus.lag("f063", &[Happened::TOPIC]).await.unwrap();
        assert_eq!(
            lag.iter().map(ferrex_bus::Lag::messages).sum::<i64>(),
            100,
            "the rewind took place"
        );
        let again = world.replica(writing!("f063", Happened, "b")).await;
        world.caught_up(&bus, "f063", Happened::TOPIC).await;
        again.leave().await;
    }
    assert_eq!(world.effects().await, before);
    let entered: i64 = sqlx::query_scalar("SELECT count(*) FROM inbox")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    assert_eq!(entered, 100);
    // And the group works on.
    let again = world.replica(writing!("f063", Happened, "c")).await;
    bus.publish(vec![event("k0", &Happened { number: 100 })])
        .await
        .unwrap();
    eventually(SOON, || async { world.effects().await.len() == 101 }).await;
    again.leave().await;
}
