//! Consumers, each on a thread of its own that polls without pause, so that slow handlers never cost the membership.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::ASK_WITHIN;
use super::clients::Clients;
use super::convert::from_kafka;
use crate::Error;
use crate::transport::{Command, Event, Incoming, Load, Partition, Position};

/// How long a poll may wait; commands are seen this late at most.
const POLL: Duration = Duration::from_millis(20);

type Events = mpsc::UnboundedSender<Result<Event, Error>>;

/// Called by the library on the member's thread, from within a poll.
pub(super) struct Rebalancing {
    events: Events,
}

impl ClientContext for Rebalancing {}

impl ConsumerContext for Rebalancing {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let outcome = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.starts(consumer, list).and_then(|starts| {
                if cooperative {
                    consumer.incremental_assign(&starts)
                } else {
                    consumer.assign(&starts)
                }
            })
        } else {
            self.give_up(consumer, list);
            if cooperative {
                consumer.incremental_unassign(list)
            } else {
                consumer.unassign()
            }
        };
        if let Err(source) = outcome {
            // The member must not go on with an assignment that the library does not have.
            let _ = self.events.send(Err(Error::Kafka {
                doing: "taking over partitions",
                source,
            }));
        }
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "committing positions failed, the next commit includes them");
        }
    }
}

impl Rebalancing {
    /// Where to start in each partition: at the committed position, and at the beginning where there is none. A group that
    /// is new has missed nothing then, and one whose positions expired handles nothing twice thanks to its inbox.
    fn starts(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &TopicPartitionList,
    ) -> Result<TopicPartitionList, KafkaError> {
        let mut attempts = 0;
        let committed = loop {
            attempts += 1;
            match consumer.committed_offsets(list.clone(), ASK_WITHIN) {
                Ok(committed) => break committed,
                Err(error) if attempts >= 3 || self.events.is_closed() => return Err(error),
                Err(error) => tracing::warn!(%error, "asking for committed positions failed, asking again"),
            }
        };
        let mut starts = TopicPartitionList::new();
        for element in committed.elements() {
            let start = match element.offset() {
                Offset::Offset(position) => Offset::Offset(position),
                _ => Offset::Beginning,
            };
            starts.add_partition_offset(element.topic(), element.partition(), start)?;
        }
        Ok(starts)
    }

    /// Waits until what is in work has finished, and commits it, before another member takes over.
    fn give_up(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions: Vec<Partition> = list
            .elements()
            .iter()
            .map(|element| Partition::new(element.topic(), element.partition()))
            .collect();
        let lost = consumer.assignment_lost();
        let (done, positions) = oneshot::channel();
        if partitions.is_empty()
            || self
                .events
                .send(Ok(Event::Revoked {
                    partitions,
                    lost,
                    done,
                }))
                .is_err()
        {
            return;
        }
        if let Ok(positions) = positions.blocking_recv()
            && !lost
        {
            commit(consumer, &positions, CommitMode::Sync);
        }
    }
}

fn commit<C: ConsumerContext>(consumer: &BaseConsumer<C>, positions: &[Position], mode: CommitMode) {
    if positions.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::new();
    for (partition, position) in positions {
        if let Err(error) =
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(*position))
        {
            tracing::error!(%error, "a position cannot be expressed");
        }
    }
    if let Err(error) = consumer.commit(&list, mode) {
        // Not committed means delivered again, which the inbox takes care of.
        tracing::debug!(%error, "committing positions failed");
    }
}

/// A member of a group.
pub(super) struct Member {
    consumer: BaseConsumer<Rebalancing>,
    group: String,
    events: Events,
    commands: mpsc::UnboundedReceiver<Command>,
    load: Arc<Load>,
    paused: bool,
}

impl Member {
    pub fn new(
        clients: &Clients,
        group: &str,
        topics: &[String],
        events: Events,
        commands: mpsc::UnboundedReceiver<Command>,
        load: Arc<Load>,
    ) -> Result<Self, Error> {
        let consumer = clients.member(
            group,
            Rebalancing {
                events: events.clone(),
            },
        )?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(Error::kafka("subscribing to topics"))?;
        Ok(Self {
            consumer,
            group: group.to_owned(),
            events,
            commands,
            load,
            paused: false,
        })
    }

    pub fn run(mut self) {
        let left = loop {
            match self.commands.try_recv() {
                Ok(Command::Commit(positions)) => {
                    commit(&self.consumer, &positions, CommitMode::Async);
                    continue;
                }
                Ok(Command::Leave(positions, left)) => {
                    commit(&self.consumer, &positions, CommitMode::Sync);
                    break Some(left);
                }
                Err(mpsc::error::TryRecvError::Disconnected) => break None,
                Err(mpsc::error::TryRecvError::Empty) => {}
            }
            self.regulate();
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    self.load.add(1);
                    if self
                        .events
                        .send(Ok(Event::Records(vec![from_kafka(&message)])))
                        .is_err()
                    {
                        break None;
                    }
                }
                Some(Err(error)) => self.report(error),
                None => {}
            }
        };
        // Nobody listens any more; the revocation that closing brings must not wait for an answer.
        let Self {
            consumer,
            events,
            commands,
            ..
        } = self;
        drop((events, commands));
        // Closing leaves the group, so that the others take over at once.
        drop(consumer);
        if let Some(left) = left {
            let _ = left.send(());
        }
    }

    /// Fetches no more than can be worked on.
    fn regulate(&mut self) {
        let load = self.load.now();
        let want = if self.paused {
            load >= Load::LOW
        } else {
            load >= Load::HIGH
        };
        if want == self.paused && !want {
            return;
        }
        let outcome = self.consumer.assignment().and_then(|assigned| {
            if want {
                self.consumer.pause(&assigned)
            } else {
                self.consumer.resume(&assigned)
            }
        });
        match outcome {
            Ok(()) => self.paused = want,
            Err(error) => tracing::warn!(%error, "pausing or resuming partitions failed"),
        }
    }

    /// What the library reports between messages: it recovers from most by itself.
    fn report(&self, error: KafkaError) {
        let code = error.rdkafka_error_code();
        let lost = matches!(
            code,
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        );
        if lost {
            let _ = self.events.send(Err(Error::PositionLost {
                group: self.group.clone(),
            }));
        } else if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            let _ = self.events.send(Err(Error::Kafka {
                doing: "consuming",
                source: error,
            }));
        } else {
            tracing::debug!(%error, group = self.group, "the Kafka consumer reports");
        }
    }
}

/// Reads one partition from its present end on, until told to stop.
pub(super) fn tail(
    consumer: &BaseConsumer,
    topic: &str,
    partition: i32,
    records: &mpsc::UnboundedSender<Incoming>,
    stop: &CancellationToken,
    ready: oneshot::Sender<Result<(), Error>>,
) {
    // The end is fixed before the first request is sent, so no answer can come before it.
    let assigned = end_of(consumer, topic, partition).and_then(|end| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(end))?;
        consumer.assign(&list)
    });
    let failed = assigned.is_err();
    let _ = ready.send(assigned.map_err(Error::kafka("reading answers")));
    if failed {
        return;
    }
    while !stop.is_cancelled() && !records.is_closed() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                // Nobody listens any more when this fails, which the loop's condition sees.
                let _ = records.send(from_kafka(&message));
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                tracing::error!(%error, topic, "reading answers failed for good, the next request starts again");
                return;
            }
            Some(Err(error)) => tracing::debug!(%error, topic, "the Kafka reader reports"),
            None => {}
        }
    }
}

/// The offset that the next message of a partition will get. A partition that was just created may have no leader yet.
pub(super) fn end_of<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Result<i64, KafkaError> {
    let deadline = Instant::now() + ASK_WITHIN;
    loop {
        match consumer.fetch_watermarks(topic, partition, ASK_WITHIN) {
            Ok((_, end)) => return Ok(end),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}
