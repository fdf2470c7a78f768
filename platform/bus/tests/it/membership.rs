//! Members of a group that lose it, and groups that lose their positions, on a real Apache Kafka.

use std::sync::Arc;
use std::time::Duration;

use ferrex_bus::{KafkaConfig, Router, TransportConfig};
use ferrex_contracts::Message as _;
use ferrex_testkit::{Kafka, eventually};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use tokio::sync::Semaphore;

use crate::world::{SOON, World, event, message, write_effect, writing};

/// Nothing of the first member reaches the broker any more, so its partitions go to another while it is still at work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f062_a_member_cut_off_finishes_late_without_a_second_effect() {
    message!(Happened, "f062");
    let (kafka, proxy) = Kafka::start_beside_proxy().await;
    let world = World::kafka_at(kafka.brokers()).await;
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inner_gate, inner_begun) = (Arc::clone(&gate), Arc::clone(&begun));
    let router = Router::new("f062").on_event::<Happened, _>(move |delivery, message, tx| {
        let (gate, begun) = (Arc::clone(&inner_gate), Arc::clone(&inner_begun));
        Box::pin(async move {
            begun.add_permits(1);
            gate.acquire().await.unwrap().forget();
            write_effect(tx, delivery, message.number, "zombie").await
        })
    });
    let mut config = KafkaConfig::new(format!("127.0.0.1:{}", proxy.port()));
    config.session_timeout = Duration::from_secs(6);
    let zombie = world.replica_over(TransportConfig::Kafka(config), router).await;
    let bus = world.bus().await;
    let messages = (1..=3).map(|number| event("k", &Happened { number }));
    bus.publish(messages.collect()).await.unwrap();
    begun.acquire().await.unwrap().forget();
    proxy.freeze();
    let heir = world.replica(writing!("f062", Happened, "heir")).await;
    // Only the heir gets what is said now, and not before the broker gave up the other.
    bus.publish(vec![event("other", &Happened { number: 100 })])
        .await
        .unwrap();
    let taken = world.effects_reach(1).await;
    assert_eq!((taken[0].number, taken[0].worker.as_str()), (100, "heir"));
    // Both have the three now: the zombie the first in work and the others before it, the heir all of them.
    gate.add_permits(100);
    world.caught_up(&bus, "f062", Happened::TOPIC).await;
    proxy.thaw();
    zombie.leave().await;
    let of_key = |effects: Vec<crate::world::Effect>| -> Vec<i64> {
        let of_key = effects.into_iter().filter(|effect| effect.key == "k");
        of_key.map(|effect| effect.number).collect()
    };
    assert_eq!(of_key(world.effects().await), [1, 2, 3]);
    // What the zombie knew of positions did not set the group back.
    bus.publish(vec![event("k", &Happened { number: 4 })])
        .await
        .unwrap();
    world.effects_reach(5).await;
    world.caught_up(&bus, "f062", Happened::TOPIC).await;
    assert_eq!(of_key(world.effects().await), [1, 2, 3, 4]);
    heir.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f066_a_group_that_was_deleted_begins_again_and_nothing_takes_effect_twice() {
    message!(Happened, "f066_deleted");
    let world = World::kafka().await;
    let bus = world.bus().await;
    let round = |numbers: std::ops::Range<i64>| {
        let keyed = numbers.map(|number| event(&format!("k{}", number % 5), &Happened { number }));
        bus.publish(keyed.collect())
    };
    round(0..40).await.unwrap();
    let replica = world.replica(writing!("f066_deleted", Happened, "a")).await;
    let before = world.effects_reach(40).await;
    world.caught_up(&bus, "f066_deleted", Happened::TOPIC).await;
    replica.leave().await;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.brokers());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    eventually(SOON, || async {
        // Refused as long as the broker still counts a member that has just left.
        let deleted = admin.delete_groups(&["f066_deleted"], &AdminOptions::new()).await;
        deleted.unwrap().remove(0).map(drop)
    })
    .await;
    let lag = bus.lag("f066_deleted", &[Happened::TOPIC]).await.unwrap();
    assert!(lag.iter().all(|lag| lag.position.is_none()), "{lag:?}");
    // What was said while it had no positions is not passed by either.
    round(40..50).await.unwrap();
    let replica = world.replica(writing!("f066_deleted", Happened, "b")).await;
    let after = world.effects_reach(50).await;
    world.caught_up(&bus, "f066_deleted", Happened::TOPIC).await;
    assert_eq!(world.effects().await, after, "an effect came later");
    assert_eq!(after[..40], before[..]);
    let mut numbers: Vec<i64> = after[40..].iter().map(|effect| effect.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (40..50).collect::<Vec<_>>());
    replica.leave().await;
}
