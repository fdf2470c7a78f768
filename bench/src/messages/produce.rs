//! Publishing over a real Kafka, each message acknowledged by the broker for good, beside NestJS `ClientKafka.emit`.
//!
//! Once with as many callers on both sides as a busy service has, each of which waits for its message's receipt. Once
//! pipelined, as a relay publishes: a thousand messages handed over at once, four such hands; the peer's `emit`, which takes
//! one message, with as many outstanding.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use ferrex_bus::{Bus, Outgoing};
use ferrex_ids::MessageId;
use ferrex_testkit::Kafka;
use ferrex_time::{Clock as _, SystemClock};

use super::backlog::{RUN, WARM_UP};
use super::nest::Nest;
use super::readback::{self, Topic};
use super::{Echo, SERVICE, kafka_bus};
use crate::cpu::Meter;
use crate::pairs::{Limit, Run, compare};

const PAIRS: usize = 5;

/// How messages are handed over.
#[derive(Clone, Copy)]
struct Load {
    callers: usize,
    /// Messages in each call.
    at_once: usize,
}

impl Load {
    const fn outstanding(self) -> usize {
        self.callers * self.at_once
    }
}

/// Runs both comparisons.
pub async fn run() -> anyhow::Result<()> {
    let kafka = Kafka::start().await;
    let nest = Nest::build(kafka.brokers())?;
    let bus = kafka_bus(&kafka).await?;
    for (name, load) in [
        (
            "produce, 64 outstanding",
            Load {
                callers: 64,
                at_once: 1,
            },
        ),
        (
            "produce, pipelined, 4,000 outstanding",
            Load {
                callers: 4,
                at_once: 1_000,
            },
        ),
    ] {
        compare(
            name,
            PAIRS,
            Limit::Loopback,
            async || ours(&kafka, &bus, load).await,
            async || peer(&kafka, &nest, load).await,
        )
        .await?;
    }
    bus.close().await;
    Ok(())
}

async fn ours(kafka: &Kafka, bus: &Bus, load: Load) -> anyhow::Result<Run> {
    let topic = Topic::fresh(kafka, "produce").await?;
    let begin = Instant::now() + WARM_UP;
    let end = begin + RUN;
    let numbers = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..load.callers)
        .map(|_| {
            let (bus, name, numbers) = (bus.clone(), topic.name.clone(), Arc::clone(&numbers));
            tokio::spawn(async move {
                let mut acknowledged = 0;
                loop {
                    if Instant::now() >= end {
                        return anyhow::Ok(acknowledged);
                    }
                    let first = numbers.fetch_add(load.at_once as u64, Ordering::Relaxed);
                    let messages = (first..first + load.at_once as u64).map(|n| message(&name, n));
                    bus.publish(messages.collect()).await?;
                    let now = Instant::now();
                    if begin <= now && now < end {
                        acknowledged += load.at_once as u64;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep_until(begin.into()).await;
    let meter = Meter::start()?;
    tokio::time::sleep_until(end.into()).await;
    let cpu = meter.stop()?;
    let mut count = 0;
    for caller in callers {
        count += caller.await.context("a caller ended early")??;
    }
    topic
        .check(numbers.load(Ordering::Relaxed), readback::number, false)
        .await?;
    topic.remove().await?;
    Ok(Run {
        count,
        took: RUN,
        cpu,
        note: String::new(),
    })
}

fn message(topic: &str, n: u64) -> Outgoing {
    let id = MessageId::new_at(SystemClock.unix_ms());
    let mut message = Outgoing::event(SERVICE, id, n, SystemClock.now(), &Echo::new(n));
    message.topic = topic.into();
    message
}

async fn peer(kafka: &Kafka, nest: &Nest, load: Load) -> anyhow::Result<Run> {
    /// What the emitting side reports.
    #[derive(serde::Deserialize)]
    struct Emitted {
        count: u64,
        sent: u64,
    }
    let topic = Topic::fresh(kafka, "produce").await?;
    let environment = [
        ("TOPIC", topic.name.clone()),
        ("OUTSTANDING", load.outstanding().to_string()),
    ];
    let (emitted, cpu) = nest
        .client::<Emitted>("produce", WARM_UP, RUN, &environment)
        .await?;
    topic.check(emitted.sent, readback::number, false).await?;
    topic.remove().await?;
    Ok(Run {
        count: emitted.count,
        took: RUN,
        cpu,
        note: String::new(),
    })
}
