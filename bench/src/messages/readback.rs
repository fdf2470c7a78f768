//! What a topic holds, read by the bare client: a run that published counts only when each of its messages stands there
//! once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ferrex_testkit::Kafka;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde::Deserialize;

use super::kafka_bus;

const ASK_WITHIN: Duration = Duration::from_secs(20);
/// How long nothing may come before the topic counts as read.
const SILENT_AFTER: Duration = Duration::from_secs(20);

/// Which number a message has, in the order in which messages of its partition should come.
pub(super) type NumberOf = fn(&[u8]) -> anyhow::Result<u64>;

/// A topic from some place on.
pub(super) struct Topic {
    brokers: String,
    pub name: String,
    from: Vec<i64>,
}

pub(super) fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

fn consumer(brokers: &str) -> anyhow::Result<BaseConsumer> {
    // A group is named, as the client asks for one, and never joined.
    Ok(config(brokers)
        .set("group.id", "bench.readback")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .create()?)
}

/// The number in `n`.
pub(super) fn number(body: &[u8]) -> anyhow::Result<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        n: u64,
    }
    Ok(serde_json::from_slice::<Numbered>(body)?.n)
}

impl Topic {
    /// A new one with four partitions, as a service creates it.
    pub async fn fresh(kafka: &Kafka, what: &str) -> anyhow::Result<Self> {
        let name = format!("bench.{what}.{}", rand::random::<u32>());
        let bus = kafka_bus(kafka).await?;
        bus.ensure_topics(&[&name]).await?;
        bus.close().await;
        Self::from_here(kafka, &name).await
    }

    /// What is added to a topic from now on.
    pub async fn from_here(kafka: &Kafka, name: &str) -> anyhow::Result<Self> {
        let (brokers, topic) = (kafka.brokers(), name.to_owned());
        let from = tokio::task::spawn_blocking(move || ends(&consumer(&brokers)?, &topic)).await??;
        Ok(Self {
            brokers: kafka.brokers(),
            name: name.to_owned(),
            from,
        })
    }

    /// Fails unless the messages are those numbered from 0 to `count` less one, each once. With `in_order` numbers also
    /// grow within a partition.
    pub async fn check(&self, count: u64, number: NumberOf, in_order: bool) -> anyhow::Result<()> {
        let (brokers, topic, from) = (self.brokers.clone(), self.name.clone(), self.from.clone());
        tokio::task::spawn_blocking(move || {
            let consumer = consumer(&brokers)?;
            let ends = ends(&consumer, &topic)?;
            let stored: i64 = ends.iter().zip(&from).map(|(end, from)| end - from).sum();
            ensure!(
                u64::try_from(stored)? == count,
                "{count} messages were published, {stored} are stored"
            );
            read(&consumer, (&topic, &from), count, number, in_order)
        })
        .await?
    }

    /// Removes it, so that what it holds is not written to the disk beside the next run.
    pub async fn remove(self) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = config(&self.brokers).create()?;
        let removed = admin.delete_topics(&[&self.name], &AdminOptions::new()).await?;
        for result in removed {
            result.map_err(|(topic, code)| anyhow::anyhow!("removing {topic}: {code}"))?;
        }
        // Its drop blocks.
        tokio::task::spawn_blocking(move || drop(admin)).await?;
        Ok(())
    }
}

/// The offsets that the next messages will get.
fn ends(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Vec<i64>> {
    let metadata = consumer.fetch_metadata(Some(topic), ASK_WITHIN)?;
    let found = metadata.topics().first().context("the broker names the topic")?;
    (0..i32::try_from(found.partitions().len())?)
        .map(|partition| end(consumer, topic, partition))
        .collect()
}

/// The same of one partition. One that was just created may have no leader yet.
pub(super) fn end(consumer: &BaseConsumer, topic: &str, partition: i32) -> anyhow::Result<i64> {
    let asked = Instant::now();
    loop {
        match consumer.fetch_watermarks(topic, partition, ASK_WITHIN) {
            Ok((_, end)) => return Ok(end),
            Err(error) if asked.elapsed() >= ASK_WITHIN => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn read(
    consumer: &BaseConsumer,
    (topic, from): (&str, &[i64]),
    count: u64,
    number: NumberOf,
    in_order: bool,
) -> anyhow::Result<()> {
    let mut list = TopicPartitionList::new();
    for (partition, from) in (0..).zip(from) {
        list.add_partition_offset(topic, partition, Offset::Offset(*from))?;
    }
    consumer.assign(&list)?;
    let mut seen = vec![false; usize::try_from(count)?];
    let mut last = vec![None; from.len()];
    let (mut left, mut heard) = (count, Instant::now());
    while left > 0 {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            ensure!(heard.elapsed() < SILENT_AFTER, "{left} messages cannot be read");
            continue;
        };
        let message = message?;
        heard = Instant::now();
        left -= 1;
        let n = number(message.payload().context("a message without a body")?)?;
        let place = seen
            .get_mut(usize::try_from(n)?)
            .with_context(|| format!("number {n} was never sent"))?;
        ensure!(!std::mem::replace(place, true), "message {n} stands there twice");
        let before = last
            .get_mut(usize::try_from(message.partition())?)
            .context("a partition that came later")?
            .replace(n);
        ensure!(
            !in_order || before < Some(n),
            "message {n} comes after {before:?}"
        );
    }
    Ok(())
}
