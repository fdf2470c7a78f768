//! Faults of the broker and of the way to it, on a real Apache Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferrex_bus::{Error, KafkaConfig, Lag, TransportConfig, outbox};
use ferrex_contracts::Message;
use ferrex_testkit::{Kafka, eventually};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer as _};

use crate::world::{SOON, World, event, message, writing};

fn client(world: &World) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", world.brokers());
    config
}

fn admin(world: &World) -> AdminClient<DefaultClientContext> {
    client(world).create().unwrap()
}

async fn waiting(world: &World) -> i64 {
    outbox::backlog(&world.db).await.unwrap().messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f060_a_slow_broker_and_lost_receipts_change_nothing() {
    message!(Happened, "f060");
    let (_kafka, proxy) = Kafka::start_behind_proxy().await;
    let mut world = World::kafka_at(format!("127.0.0.1:{}", proxy.port())).await;
    if let TransportConfig::Kafka(config) = &mut world.transport {
        // A heartbeat there and back takes four seconds, behind whatever else is on its way.
        config.session_timeout = Duration::from_secs(30);
    }
    let replica = world.replica(writing!("f060", Happened, "a")).await;
    let relay = world.relay().await;
    world.put(&event("k", &Happened { number: 0 })).await;
    world.effects_reach(1).await;

    proxy.delay(Duration::from_secs(2));
    for number in 1..10 {
        world.put(&event("k", &Happened { number })).await;
    }
    world.effects_reach(10).await;
    proxy.delay(Duration::ZERO);

    // The broker takes it, and the receipt is lost with the connection: it may be stored or not, and is sent again.
    for (round, key) in ["Qx7ZpL0wKd", "Vn3RtY8uJc", "Hb5MsG2eFa"].into_iter().enumerate() {
        proxy.drop_reply_to(key, 1);
        let number = 10 + i64::try_from(round).unwrap();
        world.put(&event(key, &Happened { number })).await;
        world.effects_reach(11 + round).await;
        let dropped = u64::try_from(round).unwrap() + 1;
        eventually(SOON, || async { proxy.dropped() >= dropped }).await;
    }
    world.drained().await;
    let bus = world.bus().await;
    world.caught_up(&bus, "f060", Happened::TOPIC).await;
    assert_eq!(world.numbers(13).await, (0..13).collect::<Vec<_>>());
    // The producer is idempotent: the broker stored none of them twice.
    let lag = bus.lag("f060", &[Happened::TOPIC]).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.end).sum::<i64>(), 13, "{lag:?}");
    relay.leave().await;
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f064_more_partitions_lose_nothing_and_a_drained_key_keeps_its_order() {
    const KEYS: usize = 20;
    message!(Happened, "f064");
    let mut world = World::kafka().await;
    if let TransportConfig::Kafka(config) = &mut world.transport {
        let often = ("topic.metadata.refresh.interval.ms".to_owned(), "500".to_owned());
        config.properties.extend([often]);
    }
    let bus = world.bus().await;
    let replica = world.replica(writing!("f064", Happened, "a")).await;
    let round = async |first: i64| {
        for number in first..first + 5 {
            let messages = (0..KEYS).map(|key| event(&format!("k{key}"), &Happened { number }));
            bus.publish(messages.collect()).await.unwrap();
        }
    };
    round(0).await;
    world.caught_up(&bus, "f064", Happened::TOPIC).await;
    let more = [NewPartitions::new(Happened::TOPIC, 9)];
    let done = admin(&world)
        .create_partitions(&more, &AdminOptions::new())
        .await
        .unwrap();
    done[0].as_ref().unwrap();
    // Publishers learn of the new partitions at different times, so a key may go the old way and the new one meanwhile; what
    // is said of a key before it moves must be handled by then. Here nothing is said until the topic is seen whole.
    let used = || async {
        round(5).await;
        world.effects().await.len()
    };
    let before = used().await;
    let fresh = world.bus().await;
    eventually(SOON, || async {
        let lag = fresh.lag("f064", &[Happened::TOPIC]).await.unwrap();
        if lag.len() == 9 { Ok(()) } else { Err(lag.len()) }
    })
    .await;
    assert!(before >= KEYS * 5);
    world.effects_reach(KEYS * 10).await;
    // Now keys have moved for good.
    for number in 10..15 {
        let messages = (0..KEYS).map(|key| event(&format!("k{key}"), &Happened { number }));
        fresh.publish(messages.collect()).await.unwrap();
    }
    let effects = world.effects_reach(KEYS * 15).await;
    let mut by_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for effect in effects {
        by_key.entry(effect.key).or_default().push(effect.number);
    }
    assert_eq!(by_key.len(), KEYS);
    for (key, numbers) in by_key {
        assert_eq!(numbers[..5], [0, 1, 2, 3, 4], "{key}");
        assert_eq!(numbers[10..], [10, 11, 12, 13, 14], "{key}");
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 15, "{key}");
    }
    let lag = fresh.lag("f064", &[Happened::TOPIC]).await.unwrap();
    assert!(
        lag[4..].iter().any(|lag| lag.end > 0),
        "no key has moved: {lag:?}"
    );
    replica.leave().await;
}

/// Larger than anything of ours, and no JSON: a topic that others write to may allow it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f065_ten_megabytes_of_others_are_parked_and_the_rest_goes_on() {
    const BYTES: usize = 10_000_000;
    message!(Happened, "f065_large");
    let world = World::kafka().await;
    let most = (2 * BYTES).to_string();
    let topic = NewTopic::new(Happened::TOPIC, 1, TopicReplication::Fixed(1)).set("max.message.bytes", &most);
    let created = admin(&world)
        .create_topics([&topic], &AdminOptions::new())
        .await
        .unwrap();
    created[0].as_ref().unwrap();
    let foreign: FutureProducer = client(&world).set("message.max.bytes", &most).create().unwrap();
    let body: Vec<u8> = (0..BYTES).map(|place| place.to_le_bytes()[place % 3]).collect();
    let headers = [
        ("ce_type", Happened::TYPE),
        ("ce_id", "large"),
        ("ce_source", "others"),
    ];
    let headers = headers
        .into_iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        });
    let record = FutureRecord::to(Happened::TOPIC)
        .key("bad")
        .payload(&body)
        .headers(headers);
    foreign.send(record, SOON).await.unwrap();
    let bus = world.bus().await;
    let after = [("bad", 1), ("good", 2), ("bad", 3), ("good", 4)];
    bus.publish(
        after
            .map(|(key, number)| event(key, &Happened { number }))
            .to_vec(),
    )
    .await
    .unwrap();
    let replica = world.replica(writing!("f065_large", Happened, "a")).await;
    assert_eq!(world.numbers(2).await, [2, 4]);
    world.caught_up(&bus, "f065_large", Happened::TOPIC).await;
    let parked = ferrex_bus::parked::list(&world.db, 0, 10).await.unwrap();
    let seen: Vec<(&str, bool)> = parked
        .iter()
        .map(|parked| (parked.key.as_str(), parked.behind))
        .collect();
    assert_eq!(seen, [("bad", false), ("bad", true), ("bad", true)]);
    assert_eq!(parked[0].code, "bus.message.undecodable");
    assert!(parked[0].body == body, "it is kept as it came");
    replica.leave().await;
    tokio::task::spawn_blocking(move || drop(foreign)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f068_a_hanging_transaction_of_others_shows_as_lag_and_passes() {
    message!(Happened, "f068");
    let world = World::kafka().await;
    let replica = world.replica(writing!("f068", Happened, "a")).await;
    let bus = world.bus().await;
    bus.publish(vec![event("k", &Happened { number: 1 })])
        .await
        .unwrap();
    world.effects_reach(1).await;
    let config = client(&world)
        .set("transactional.id", "f068")
        .set("partitioner", "murmur2_random")
        .clone();
    let (hanging, producer) = tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(Duration::from_secs(20)).unwrap();
        producer.begin_transaction().unwrap();
        producer
            .send(BaseRecord::to(Happened::TOPIC).key("k").payload("not ours"))
            .unwrap();
        (producer.flush(Duration::from_secs(20)), producer)
    })
    .await
    .unwrap();
    hanging.unwrap();
    // The same key, so the same partition, behind what hangs.
    bus.publish(vec![event("k", &Happened { number: 2 })])
        .await
        .unwrap();
    let behind = || async {
        let lag = bus.lag("f068", &[Happened::TOPIC]).await.unwrap();
        lag.iter()
            .filter(|lag| lag.end > 0)
            .map(Lag::messages)
            .sum::<i64>()
            >= 2
    };
    eventually(SOON, behind).await;
    assert_eq!(world.effects().await.len(), 1, "what comes after it waits");
    tokio::task::spawn_blocking(move || {
        producer.abort_transaction(Duration::from_secs(20)).unwrap();
        drop(producer);
    })
    .await
    .unwrap();
    assert_eq!(world.numbers(2).await, [1, 2]);
    assert_eq!(
        ferrex_bus::parked::count(&world.db).await.unwrap(),
        0,
        "what was aborted is not seen"
    );
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f069_a_full_disk_of_the_broker_leaves_messages_in_the_outbox() {
    message!(Happened, "f069");
    let kafka = Kafka::start().await;
    let world = World::kafka_at(kafka.brokers()).await;
    let replica = world.replica(writing!("f069", Happened, "a")).await;
    let relay = world.relay().await;
    for number in 0..20 {
        world.put(&event("k", &Happened { number })).await;
    }
    world.effects_reach(20).await;
    world.drained().await;
    kafka.fill_disk().await;
    for number in 20..60 {
        world.put(&event("k", &Happened { number })).await;
    }
    let bus = world.bus().await;
    // A broker whose only disk fails ends itself.
    eventually(SOON, || async { bus.ping().await.is_err() }).await;
    assert_eq!(waiting(&world).await, 40, "nothing counts as published");
    assert_eq!(world.effects().await.len(), 20);
    kafka.kill9().await;
    kafka.start_again().await;
    assert_eq!(world.numbers(60).await, (0..60).collect::<Vec<_>>());
    world.drained().await;
    relay.leave().await;
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f071_a_deleted_topic_is_told_and_used_again_when_it_is_back() {
    message!(Happened, "f071");
    let world = World::kafka().await;
    let replica = world.replica(writing!("f071", Happened, "a")).await;
    let bus = world.bus().await;
    bus.publish(vec![event("k", &Happened { number: 1 })])
        .await
        .unwrap();
    world.effects_reach(1).await;
    bus.ping().await.unwrap();
    let gone = admin(&world)
        .delete_topics(&[Happened::TOPIC], &AdminOptions::new())
        .await
        .unwrap();
    gone[0].as_ref().unwrap();
    eventually(SOON, || async {
        let ping = bus.ping().await;
        matches!(ping, Err(Error::TopicMissing { .. }))
            .then_some(())
            .ok_or(ping)
    })
    .await;
    // The consumer ends with the reason instead of waiting without a word, and is started again by who supervises it.
    let ended = tokio::time::timeout(SOON, replica.task).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Kafka { .. })), "{ended:?}");
    let replica = world.replica(writing!("f071", Happened, "b")).await;
    eventually(SOON, || bus.ping()).await;
    bus.publish(vec![event("k", &Happened { number: 2 })])
        .await
        .unwrap();
    assert_eq!(world.numbers(2).await, [1, 2]);
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f071_who_may_not_use_a_topic_is_told_and_what_it_has_to_say_waits() {
    message!(Happened, "f071_denied");
    let kafka = Kafka::start_with_users().await;
    let mut world = World::kafka_at(kafka.brokers()).await;
    let of_user = |name: &str| {
        let mut config = KafkaConfig::new(kafka.brokers());
        let settings = [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", name),
            ("sasl.password", name),
        ];
        config
            .properties
            .extend(settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
        TransportConfig::Kafka(config)
    };
    let denied = |error: &Error| {
        let Error::Kafka { source, .. } = error else {
            return false;
        };
        let code = match source {
            KafkaError::AdminOp(code) | KafkaError::MetadataFetch(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        code == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
    };

    world.transport = of_user("stranger");
    let bus = world.bus().await;
    world.put(&event("k", &Happened { number: 1 })).await;
    let relay = world.relay().await;
    let told = bus
        .publish(vec![event("k", &Happened { number: 0 })])
        .await
        .unwrap_err();
    assert!(denied(&told), "{told:?}");
    // It ends with the reason instead of trying without a word; its supervisor starts it again with growing pauses.
    let replica = world.replica(writing!("f071_denied", Happened, "a")).await;
    let ended = tokio::time::timeout(SOON, replica.task).await.unwrap().unwrap();
    assert!(ended.as_ref().is_err_and(denied), "{ended:?}");
    assert_eq!(waiting(&world).await, 1);
    relay.leave().await;
    assert_eq!(waiting(&world).await, 1, "nothing counts as published");

    world.transport = of_user("admin");
    let replica = world.replica(writing!("f071_denied", Happened, "b")).await;
    let relay = world.relay().await;
    assert_eq!(world.numbers(1).await, [1]);
    world.drained().await;
    relay.leave().await;
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_with_a_name_keeps_its_partitions_over_a_restart() {
    message!(Happened, "static");
    let world = World::kafka().await;
    let start = async |name: &'static str| {
        let mut config = KafkaConfig::new(world.brokers());
        // Longer than the restart below may take, so that time does not take the partitions away.
        config.session_timeout = Duration::from_secs(30);
        config.instance = Some(name.to_owned());
        world
            .replica_over(TransportConfig::Kafka(config), writing!("static", Happened, name))
            .await
    };
    let first = start("one").await;
    let second = start("two").await;
    let bus = world.bus().await;
    let round = async |number: i64| -> BTreeMap<String, String> {
        let messages = (0..40).map(|key| event(&format!("k{key}"), &Happened { number }));
        bus.publish(messages.collect()).await.unwrap();
        eventually(SOON, || async {
            let effects = world.effects().await.into_iter();
            let of_round = effects.filter(|effect| effect.number == number);
            let found: BTreeMap<_, _> = of_round.map(|effect| (effect.key, effect.worker)).collect();
            (found.len() == 40).then_some(found)
        })
        .await
    };
    let mut number = 0;
    let before = loop {
        number += 1;
        assert!(number < 200, "the second replica never got a partition");
        let found = round(number).await;
        if found.values().collect::<BTreeSet<_>>().len() == 2 {
            break found;
        }
    };
    assert_eq!(protocol(&world, "static").await, "cooperative-sticky");
    first.leave().await;
    // Nobody takes over what it had, and it goes on where it was.
    let first = start("one").await;
    assert_eq!(round(number + 1).await, before);
    // A second one of the same name pushes the first out, which says so.
    let twin = start("one").await;
    let ended = tokio::time::timeout(SOON, first.task).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Kafka { .. })), "{ended:?}");
    twin.leave().await;
    second.leave().await;
}

/// How a group deals its partitions out.
async fn protocol(world: &World, group: &'static str) -> String {
    let asker: BaseConsumer = client(world).create().unwrap();
    tokio::task::spawn_blocking(move || {
        let groups = asker
            .fetch_group_list(Some(group), Duration::from_secs(10))
            .unwrap();
        groups.groups()[0].protocol().to_owned()
    })
    .await
    .unwrap()
}
