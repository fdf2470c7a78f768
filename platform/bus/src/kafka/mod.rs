//! The transport over Apache Kafka.

mod clients;
mod consumer;
mod convert;
mod positions;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::transport::{self, Lag, Load, Record, Sink, Subscription, Tail, Transport, Urgency};
use crate::{Error, Place, Receipt};
use clients::{Clients, OffThread};
use topics::Topics;

/// Where the brokers are.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub brokers: String,
    /// Copies of each topic that this side creates; 3 in production.
    pub replication: i32,
    /// After how long a member of a group that is not heard of is taken for dead.
    pub session_timeout: Duration,
    /// Name of this replica that outlives its restarts, such as that of a pod in a stateful set. With it the group waits for
    /// a replica that restarts within the session timeout, instead of dealing its partitions out twice; without it a
    /// replica that leaves gives them up at once. No two replicas may have the same one.
    pub instance: Option<String>,
    /// Further settings of librdkafka, such as `security.protocol` and `sasl.*`. What this crate sets for safety wins.
    pub properties: BTreeMap<String, String>,
}

impl KafkaConfig {
    /// Plain text, one copy, ten seconds.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            replication: 1,
            session_timeout: Duration::from_secs(10),
            instance: None,
            properties: BTreeMap::new(),
        }
    }
}

/// How long a question to the broker may take.
const ASK_WITHIN: Duration = Duration::from_secs(10);

type Producer = Arc<OffThread<FutureProducer>>;

pub(crate) struct Kafka {
    clients: Clients,
    topics: Arc<Topics>,
    /// By urgency; made again after a fatal error.
    durable: Mutex<Option<Producer>>,
    fast: Mutex<Option<Producer>>,
}

impl Kafka {
    pub fn connect(config: &KafkaConfig, partitions: i32) -> Result<Self, Error> {
        let clients = Clients::new(config.clone());
        let topics = Topics::new(clients.admin()?, partitions, config.replication);
        Ok(Self {
            clients,
            topics: Arc::new(topics),
            durable: Mutex::new(None),
            fast: Mutex::new(None),
        })
    }

    fn slot(&self, urgency: Urgency) -> &Mutex<Option<Producer>> {
        match urgency {
            Urgency::Durable => &self.durable,
            Urgency::Fast => &self.fast,
        }
    }

    fn producer(&self, urgency: Urgency) -> Result<Producer, Error> {
        let mut slot = self.slot(urgency).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = slot.as_ref() {
            return Ok(Arc::clone(producer));
        }
        let producer = Arc::new(OffThread::new(self.clients.producer(urgency)?));
        *slot = Some(Arc::clone(&producer));
        Ok(producer)
    }

    /// An idempotent producer that lost track of its sequence never sends again; the next publish makes a new one.
    fn replace_if_fatal(&self, urgency: Urgency, producer: &Producer) {
        if let Some((code, reason)) = producer.client().fatal_error() {
            tracing::error!(%code, reason, "the Kafka producer failed for good, making a new one");
            let mut slot = self.slot(urgency).lock().unwrap_or_else(PoisonError::into_inner);
            if slot
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, producer))
            {
                *slot = None;
            }
        }
    }

    async fn deliver(&self, futures: Vec<DeliveryFuture>) -> Result<Vec<Receipt>, Error> {
        let mut first = None;
        let mut receipts = Vec::with_capacity(futures.len());
        for future in futures {
            let error = match future.await {
                Ok(Ok(stored)) => {
                    receipts.push(Receipt {
                        partition: stored.partition,
                        offset: stored.offset,
                    });
                    continue;
                }
                Ok(Err((error, message))) => {
                    if is_unknown_topic(&error) {
                        self.topics.forget(rdkafka::Message::topic(&message));
                    }
                    error
                }
                Err(_) => KafkaError::Canceled,
            };
            first.get_or_insert(error);
        }
        first.map_or(Ok(receipts), |error| {
            Err(Error::kafka("publishing to Kafka")(error))
        })
    }
}

fn is_unknown_topic(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}

/// Hands one record to the producer's queue, waiting while that is full.
async fn enqueue(producer: &FutureProducer, record: &Record) -> Result<DeliveryFuture, KafkaError> {
    let mut outgoing: FutureRecord<'_, [u8], [u8]> =
        FutureRecord::to(&record.topic).headers(convert::to_kafka(&record.headers));
    if let Some(key) = &record.key {
        outgoing = outgoing.key(key);
    }
    if let Some(body) = &record.body {
        outgoing = outgoing.payload(body);
    }
    if let Some(partition) = record.partition {
        outgoing = outgoing.partition(partition);
    }
    loop {
        match producer.send_result(outgoing) {
            Ok(future) => return Ok(future),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                outgoing = refused;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

#[async_trait]
impl Transport for Kafka {
    async fn ensure_topics(&self, topics: &[String]) -> Result<(), Error> {
        self.topics.ensure(topics).await
    }

    async fn publish(&self, records: Vec<Record>, urgency: Urgency) -> Result<Vec<Receipt>, Error> {
        // Answers go to topics of their askers, which may not be ours to create.
        let topics = transport::topics(records.iter().filter(|record| record.partition.is_none()));
        self.topics.ensure(&topics).await?;
        let producer = self.producer(urgency)?;
        let mut futures = Vec::with_capacity(records.len());
        let mut refused = None;
        for record in &records {
            match enqueue(&producer, record).await {
                Ok(future) => futures.push(future),
                Err(error) => {
                    // What comes after it must not overtake it.
                    refused = Some(Error::kafka("handing a message to the Kafka client")(error));
                    break;
                }
            }
        }
        let outcome = self.deliver(futures).await;
        if refused.is_some() || outcome.is_err() {
            self.replace_if_fatal(urgency, &producer);
        }
        refused.map_or(outcome, Err)
    }

    async fn ends(&self, places: &[Place]) -> Result<Vec<i64>, Error> {
        self.topics.ends(places).await
    }

    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Subscription, Error> {
        let (events, incoming) = mpsc::unbounded_channel();
        let (commands, orders) = mpsc::unbounded_channel();
        let load = Arc::new(Load::default());
        let shared = (Arc::clone(&self.topics), Arc::clone(&load));
        let member = consumer::Member::new(&self.clients, (group, topics), events, orders, shared)?;
        // A thread of its own: rebalances wait in it for work to finish, and leaving blocks.
        std::thread::Builder::new()
            .name(format!("kafka {group}"))
            .spawn(move || member.run())
            .map_err(|error| {
                Error::kafka("starting a consumer's thread")(KafkaError::ClientCreation(error.to_string()))
            })?;
        Ok(Subscription {
            events: incoming,
            commands,
            load,
        })
    }

    async fn tail(&self, topic: &str, sink: Sink) -> Result<Tail, Error> {
        let partitions = self.topics.partitions(topic).await?;
        let partition = rand::random_range(0..partitions.max(1));
        let consumer = self.clients.tail(topic)?;
        let topic = topic.to_owned();
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let (stopped, ending) = (stop.clone(), ended.clone().drop_guard());
        let (ready, started) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name(format!("kafka {topic}"))
            .spawn(move || {
                let _ending = ending;
                consumer::tail(&consumer, (&topic, partition), &sink, &stopped, ready);
            })
            .map_err(|error| {
                Error::kafka("starting a reader's thread")(KafkaError::ClientCreation(error.to_string()))
            })?;
        started.await.map_err(|_| Error::Closed)??;
        Ok(Tail {
            partition,
            ended,
            stop: stop.drop_guard(),
        })
    }

    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error> {
        let mut wanted = TopicPartitionList::new();
        for topic in topics {
            let count = self.topics.partitions(topic).await?;
            wanted.add_partition_range(topic, 0, count.max(1) - 1);
        }
        let asker = self.clients.asker(group)?;
        blocking(move || {
            let failed = Error::kafka("asking how far a group is");
            let committed = match asker.committed_offsets(wanted, Timeout::After(ASK_WITHIN)) {
                Ok(committed) => committed,
                Err(error) => return Err(failed(error)),
            };
            let mut lags = Vec::new();
            for element in committed.elements() {
                let (topic, partition) = (element.topic(), element.partition());
                let end = consumer::end_of(&asker, topic, partition)
                    .map_err(Error::kafka("asking for the end of a partition"))?;
                let position = match element.offset() {
                    Offset::Offset(position) => Some(position),
                    _ => None,
                };
                lags.push(Lag {
                    topic: topic.to_owned(),
                    partition,
                    position,
                    end,
                });
            }
            Ok(lags)
        })
        .await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.topics.ping().await
    }

    async fn close(&self) {
        for urgency in [Urgency::Durable, Urgency::Fast] {
            let producer = self
                .slot(urgency)
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(producer) = producer {
                let flushed = blocking(move || {
                    producer
                        .flush(Duration::from_secs(5))
                        .map_err(Error::kafka("flushing the Kafka producer"))
                });
                if let Err(error) = flushed.await {
                    tracing::warn!(%error, "messages in flight at the end may or may not have been sent");
                }
            }
        }
    }
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Closed))
}
