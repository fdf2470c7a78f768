use std::time::Duration;

use ferrex_testkit::{Kafka, eventually};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};

#[tokio::test]
async fn acknowledged_messages_are_there_after_kill_9() {
    let kafka = Kafka::start().await;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let topic = NewTopic::new("numbers", 1, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0]
        .as_ref()
        .unwrap();
    let producer: FutureProducer = config.clone().set("acks", "all").create().unwrap();
    let sends = (0..100).map(|number: u32| {
        let producer = producer.clone();
        async move {
            let payload = number.to_be_bytes();
            let record = FutureRecord::<(), _>::to("numbers").payload(&payload);
            producer.send(record, Duration::from_secs(20)).await.unwrap();
        }
    });
    for send in sends {
        send.await;
    }
    kafka.kill9().await;
    kafka.start_again().await;
    let end = eventually(Duration::from_secs(20), || {
        let config = config.clone();
        async move {
            let asked = tokio::task::spawn_blocking(move || {
                let consumer: BaseConsumer = config.create().unwrap();
                consumer.fetch_watermarks("numbers", 0, Duration::from_secs(2))
            });
            asked.await.unwrap()
        }
    });
    assert_eq!(end.await, (0, 100));
}
