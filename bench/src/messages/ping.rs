//! The least that Kafka needs for a request and its answer: two partitions, two threads, the bare client, nothing read or
//! kept. Its settings are those with which the bus sends requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use ferrex_testkit::Kafka;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::readback::{self, Topic};
use crate::cpu::Meter;
use crate::latency::Latencies;
use crate::pairs::Run;

const POLL: Duration = Duration::from_millis(100);
/// How long an answer may take before the run counts as wrong.
const WITHIN: Duration = Duration::from_secs(20);

type Producer = ThreadedProducer<DefaultProducerContext>;

pub(super) struct PingPong {
    brokers: String,
    there: String,
    back: String,
    stop: Arc<AtomicBool>,
    answering: JoinHandle<anyhow::Result<()>>,
}

fn producer(brokers: &str) -> anyhow::Result<Producer> {
    Ok(readback::config(brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("socket.nagle.disable", "true")
        .create()?)
}

/// A reader of the first partition, from its end on.
fn reader(brokers: &str, topic: &str) -> anyhow::Result<BaseConsumer> {
    let consumer: BaseConsumer = readback::config(brokers)
        .set("group.id", "bench.ping")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("fetch.wait.max.ms", "500")
        .set("socket.nagle.disable", "true")
        .create()?;
    let end = readback::end(&consumer, topic, 0)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(end))?;
    consumer.assign(&list)?;
    Ok(consumer)
}

fn send(producer: &Producer, topic: &str, body: &[u8]) -> anyhow::Result<()> {
    let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).partition(0).payload(body);
    producer
        .send(record)
        .map_err(|(error, _)| anyhow::Error::from(error).context("sending"))
}

impl PingPong {
    /// Starts the answering side.
    pub async fn start(kafka: &Kafka) -> anyhow::Result<Self> {
        let (there, back) = (
            Topic::fresh(kafka, "ping").await?.name,
            Topic::fresh(kafka, "pong").await?.name,
        );
        let (brokers, stop) = (kafka.brokers(), Arc::new(AtomicBool::new(false)));
        // Its place is fixed before anybody sends.
        let (consumer, producer) = tokio::task::spawn_blocking({
            let (brokers, there) = (brokers.clone(), there.clone());
            move || anyhow::Ok((reader(&brokers, &there)?, producer(&brokers)?))
        })
        .await??;
        let answering = std::thread::Builder::new().name("pong".to_owned()).spawn({
            let (back, stop) = (back.clone(), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Some(message) = consumer.poll(POLL) {
                        send(&producer, &back, message?.payload().unwrap_or_default())?;
                    }
                }
                producer.flush(WITHIN)?;
                Ok(())
            }
        })?;
        Ok(Self {
            brokers,
            there,
            back,
            stop,
            answering,
        })
    }

    /// One after the other for so long, each as long as a request of the bus.
    pub async fn run(&self, warm_up: Duration, run: Duration) -> anyhow::Result<(Run, (Duration, Duration))> {
        let (brokers, there, back) = (self.brokers.clone(), self.there.clone(), self.back.clone());
        let asking = move || -> anyhow::Result<(Run, Latencies)> {
            let (consumer, producer) = (reader(&brokers, &back)?, producer(&brokers)?);
            let mut next = 0;
            let mut for_so_long = |time: Duration| -> anyhow::Result<Latencies> {
                let (end, mut times) = (Instant::now() + time, Vec::new());
                loop {
                    let asked = Instant::now();
                    if asked >= end {
                        return Ok(Latencies::from(times));
                    }
                    let body = format!("{next:0>300}");
                    next += 1;
                    send(&producer, &there, body.as_bytes())?;
                    ensure!(
                        answer(&consumer)? == body.as_bytes(),
                        "an answer to something else"
                    );
                    if Instant::now() < end {
                        times.push(asked.elapsed());
                    }
                }
            };
            for_so_long(warm_up)?;
            let meter = Meter::start()?;
            let latencies = for_so_long(run)?;
            let run = Run {
                count: latencies.count() as u64,
                took: run,
                cpu: meter.stop()?,
                note: latencies.to_string(),
            };
            producer.flush(WITHIN)?;
            Ok((run, latencies))
        };
        let (run, latencies) = tokio::task::spawn_blocking(asking).await??;
        Ok((run, (latencies.at(500), latencies.at(990))))
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || match self.answering.join() {
            Ok(ended) => ended,
            Err(_) => bail!("the answering thread panicked"),
        })
        .await?
    }
}

fn answer(consumer: &BaseConsumer) -> anyhow::Result<Vec<u8>> {
    let asked = Instant::now();
    loop {
        if let Some(message) = consumer.poll(POLL) {
            return Ok(message?.payload().context("an empty answer")?.to_vec());
        }
        ensure!(asked.elapsed() < WITHIN, "no answer came");
    }
}
