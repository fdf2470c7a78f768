//! What only Kafka can do: be down and come back, speak with NestJS, lose a position.

use std::time::Duration;

use ferrex_bus::{Bus, Error, Router};
use ferrex_contracts::{Message, Request};
use ferrex_fault::{Fault, Kind};
use ferrex_testkit::{Kafka, eventually};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::world::{Answer, SOON, World, event, message, writing};

fn client(brokers: &str, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .set("enable.auto.commit", "false");
    config.create().unwrap()
}

/// Commits `position` for each partition of the topic, in the name of a group without members.
async fn set_positions(brokers: String, group: String, topic: String, position: i64) {
    eventually(SOON, || {
        let (brokers, group, topic) = (brokers.clone(), group.clone(), topic.clone());
        async move {
            let commit = move || {
                let consumer = client(&brokers, &group);
                let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(5))?;
                let mut list = TopicPartitionList::new();
                for partition in metadata.topics()[0].partitions() {
                    list.add_partition_offset(&topic, partition.id(), Offset::Offset(position))?;
                }
                consumer.commit(&list, CommitMode::Sync)
            };
            // Refused as long as the broker still counts a member that has just left.
            tokio::task::spawn_blocking(commit).await.unwrap()
        }
    })
    .await;
}

pub async fn rewind(brokers: String, group: String, topic: String) {
    set_positions(brokers, group, topic, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f059_the_outbox_drains_in_order_after_the_broker_was_gone() {
    message!(Happened, "f059");
    let kafka = Kafka::start().await;
    let world = World::kafka_at(kafka.brokers()).await;
    let replica = world.replica(writing!("f059", Happened, "a")).await;
    let relay = world.relay().await;
    for number in 0..20 {
        world.put(&event("k", &Happened { number })).await;
    }
    world.effects_reach(20).await;
    kafka.stop().await;
    for number in 20..60 {
        world.put(&event("k", &Happened { number })).await;
    }
    let bus: Bus = world.bus().await;
    assert!(bus.ping().await.is_err());
    assert!(ferrex_bus::outbox::backlog(&world.db).await.unwrap().messages > 0);
    kafka.start_again().await;
    world.effects_reach(60).await;
    kafka.kill9().await;
    for number in 60..100 {
        world.put(&event("k", &Happened { number })).await;
    }
    kafka.start_again().await;
    let numbers: Vec<i64> = world
        .effects_reach(100)
        .await
        .into_iter()
        .map(|effect| effect.number)
        .collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    eventually(SOON, || async {
        ferrex_bus::outbox::backlog(&world.db).await.unwrap().messages == 0
    })
    .await;
    relay.leave().await;
    replica.leave().await;
}

/// The broker has removed messages that the group has not handled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f066_a_position_the_broker_does_not_have_stops_the_consumer() {
    message!(Happened, "f066");
    let world = World::kafka().await;
    let bus = world.bus().await;
    let messages = (0..3).map(|number| event("k", &Happened { number })).collect();
    let receipts = bus.publish(messages).await.unwrap();
    let (brokers, topic) = (world.brokers(), Happened::TOPIC.to_owned());
    rewind(brokers.clone(), "f066".to_owned(), topic.clone()).await;
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(&topic, receipts[0].partition, Offset::Offset(2))
        .unwrap();
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .create()
        .unwrap();
    admin.delete_records(&before, &AdminOptions::new()).await.unwrap();
    let replica = world.replica(writing!("f066", Happened, "a")).await;
    let ended = tokio::time::timeout(SOON, replica.task).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::PositionLost { .. })), "{ended:?}");
    assert_eq!(world.effects().await, []);
}

/// Some of the messages were handled, some were not, and the group's position lies behind the end of what is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f067_what_a_broker_lost_is_published_again_and_takes_effect_once() {
    message!(Happened, "f067");
    let kafka = Kafka::start().await;
    let world = World::kafka_at(kafka.brokers()).await;
    let put = async |numbers: std::ops::Range<i64>| {
        for number in numbers {
            world.put(&event("k", &Happened { number })).await;
        }
    };
    let relay = world.relay().await;
    let replica = world.replica(writing!("f067", Happened, "a")).await;
    put(0..10).await;
    world.effects_reach(10).await;
    world.caught_up(&world.bus().await, "f067", Happened::TOPIC).await;
    replica.leave().await;
    put(10..20).await;
    world.drained().await;

    kafka.stop().await;
    kafka.lose(Happened::TOPIC).await;
    kafka.start_again().await;
    let replica = world.replica(writing!("f067", Happened, "a")).await;
    assert_eq!(world.numbers(20).await, (0..20).collect::<Vec<_>>());
    put(20..25).await;
    assert_eq!(world.numbers(25).await, (0..25).collect::<Vec<_>>());
    relay.leave().await;

    // A relay that was not there when it happened.
    put(25..30).await;
    let relay = world.relay().await;
    world.numbers(30).await;
    world.drained().await;
    relay.leave().await;
    replica.leave().await;
    kafka.kill9().await;
    kafka.lose(Happened::TOPIC).await;
    kafka.start_again().await;
    put(30..31).await;
    let relay = world.relay().await;
    world.drained().await;
    let bus = world.bus().await;
    let lag = bus.lag("f067", &[Happened::TOPIC]).await.unwrap();
    assert_eq!(lag.iter().map(|lag| lag.end).sum::<i64>(), 31, "{lag:?}");
    let replica = world.replica(writing!("f067", Happened, "a")).await;
    assert_eq!(world.numbers(31).await, (0..31).collect::<Vec<_>>());
    relay.leave().await;
    replica.leave().await;
}

/// What the broker has and what is told of long ago is not published again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f067_a_broker_that_comes_back_with_everything_is_sent_nothing_twice() {
    message!(Happened, "f067-whole");
    let kafka = Kafka::start().await;
    let world = World::kafka_at(kafka.brokers()).await;
    let relay = world.relay().await;
    for number in 0..10 {
        world.put(&event("k", &Happened { number })).await;
    }
    world.drained().await;
    kafka.stop().await;
    kafka.start_again().await;
    relay.leave().await;
    world.put(&event("k", &Happened { number: 10 })).await;
    let relay = world.relay().await;
    world.drained().await;
    relay.leave().await;
    let lag = world
        .bus()
        .await
        .lag("f067-whole", &[Happened::TOPIC])
        .await
        .unwrap();
    assert_eq!(lag.iter().map(|lag| lag.end).sum::<i64>(), 11, "{lag:?}");
}

/// A message as NestJS's client writes it.
async fn send_as_nestjs(brokers: &str, topic: &str, headers: &[(&str, &str)], body: &str) {
    let mut config = ClientConfig::new();
    let producer: FutureProducer = config.set("bootstrap.servers", brokers).create().unwrap();
    let headers = headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
        all.insert(Header {
            key,
            value: Some(*value),
        })
    });
    let record: FutureRecord<'_, (), str> = FutureRecord::to(topic).payload(body).headers(headers);
    producer.send(record, Duration::from_secs(10)).await.unwrap();
    tokio::task::spawn_blocking(move || drop(producer)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nestjs_event_reaches_the_only_handler_of_its_topic() {
    message!(Hero, "nest-event");
    let world = World::kafka().await;
    let replica = world.replica(writing!("nest-event", Hero, "a")).await;
    world.bus().await.ensure_topics(&[Hero::TOPIC]).await.unwrap();
    send_as_nestjs(&world.brokers(), Hero::TOPIC, &[], r#"{"number":42}"#).await;
    assert_eq!(world.effects_reach(1).await[0].number, 42);
    replica.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nestjs_request_is_answered_in_its_dialect() {
    message!(Hero, "nest-request");
    impl Request for Hero {
        type Reply = Answer;
    }
    const REPLIES: &str = "nest-request.reply";
    let world = World::kafka().await;
    let router = Router::new("nest-request").on_request::<Hero, _, _>(|_, hero| async move {
        if hero.number == 0 {
            return Err(Fault::new(Kind::Invalid, "hero.zero", "no such hero"));
        }
        Ok(Answer {
            number: hero.number + 1,
        })
    });
    let replica = world.replica(router).await;
    world
        .bus()
        .await
        .ensure_topics(&[Hero::TOPIC, REPLIES])
        .await
        .unwrap();
    let brokers = world.brokers();
    for (correlation, body) in [("first", r#"{"number":41}"#), ("second", r#"{"number":0}"#)] {
        let headers = [
            ("kafka_correlationId", correlation),
            ("kafka_replyTopic", REPLIES),
            ("kafka_replyPartition", "2"),
        ];
        send_as_nestjs(&brokers, Hero::TOPIC, &headers, body).await;
    }
    let read = move || {
        let consumer = client(&brokers, "nest-client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(REPLIES, 2, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let mut answers = Vec::new();
        let deadline = std::time::Instant::now() + SOON;
        while answers.len() < 2 && std::time::Instant::now() < deadline {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else {
                continue;
            };
            let headers = message.headers().unwrap();
            let find = |name: &str| {
                headers
                    .iter()
                    .find(|header| header.key == name)
                    .and_then(|header| header.value.map(<[u8]>::to_vec))
            };
            let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(find("kafka_nest-is-disposed"), Some(vec![0]));
            let body = message.payload().map(<[u8]>::to_vec);
            answers.push((
                text(find("kafka_correlationId")).unwrap(),
                text(body),
                text(find("kafka_nest-err")),
            ));
        }
        answers.sort();
        answers
    };
    let answers = tokio::task::spawn_blocking(read).await.unwrap();
    assert_eq!(
        answers[0],
        ("first".to_owned(), Some(r#"{"number":42}"#.to_owned()), None)
    );
    let (correlation, body, fault) = &answers[1];
    assert_eq!((correlation.as_str(), body), ("second", &None));
    let fault: serde_json::Value = serde_json::from_str(fault.as_deref().unwrap()).unwrap();
    assert_eq!(fault["message"], "no such hero");
    assert_eq!(fault["code"], "hero.zero");
    replica.leave().await;
}
