//! Consumers, each on a thread of its own that polls without pause, so that slow handlers never cost the membership.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::ASK_WITHIN;
use super::clients::Clients;
use super::convert::Reader;
use super::positions::Positions;
use super::topics::Topics;
use crate::Error;
use crate::transport::{Command, Event, Incoming, Load, Partition, Position, Sink};

/// How long a poll may wait; commands are seen this late at most.
const POLL: Duration = Duration::from_millis(20);
/// Most messages handed over at once.
const HAND_OVER: usize = 500;
/// How long a member with too much in work just stops taking messages before it pauses its partitions. Pausing throws away
/// what the library has fetched in advance, which is then fetched again, so it is for handlers that are stuck; and not
/// polling puts off rebalances, so it is for a moment.
const STUCK_AFTER: Duration = Duration::from_secs(1);
/// How long after a commit, with none after it, it is looked whether it arrived, and how long such a look may take.
const CONFIRM_AFTER: Duration = Duration::from_millis(500);
const CONFIRM_WITHIN: Duration = Duration::from_secs(1);

type Events = mpsc::UnboundedSender<Result<Event, Error>>;

/// Called by the library on the member's thread, from within a poll.
pub(super) struct Rebalancing {
    events: Events,
    /// Taken from the library and not handed over yet.
    gathered: Mutex<Vec<Incoming>>,
    positions: Mutex<Positions>,
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
}

impl Rebalancing {
    fn positions(&self) -> MutexGuard<'_, Positions> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gather(&self, incoming: Incoming) -> usize {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.push(incoming);
        gathered.len()
    }

    /// `false`: nobody takes it any more.
    fn hand_over(&self) -> bool {
        let gathered = std::mem::take(&mut *self.gathered.lock().unwrap_or_else(PoisonError::into_inner));
        gathered.is_empty() || self.events.send(Ok(Event::Records(gathered))).is_ok()
    }

    /// Where to start in each partition: at the committed position, and at the beginning where there is none. A group that
    /// is new has missed nothing then, and one whose positions expired handles nothing twice thanks to its inbox. Nor does
    /// one whose position lies behind the end: the broker lost messages, and those that come again come before it.
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
            let (topic, number) = (element.topic(), element.partition());
            let position = match element.offset() {
                Offset::Offset(position) if is_behind_the_end(consumer, topic, number, position) => {
                    tracing::error!(
                        topic,
                        partition = number,
                        position,
                        "the broker lost messages that were handled, beginning with the first that it has"
                    );
                    None
                }
                Offset::Offset(position) => Some(position),
                _ => None,
            };
            let start = position.map_or(Offset::Beginning, Offset::Offset);
            starts.add_partition_offset(topic, number, start)?;
            self.positions().start(Partition::new(topic, number), position);
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
        self.positions().give_up(&partitions);
        // What was gathered before a revocation must not come after it.
        self.hand_over();
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

/// Whether a partition is known to end before a position.
fn is_behind_the_end(
    consumer: &BaseConsumer<Rebalancing>,
    topic: &str,
    partition: i32,
    position: i64,
) -> bool {
    match consumer.fetch_watermarks(topic, partition, CONFIRM_WITHIN) {
        Ok((_, end)) => position > end,
        Err(error) => {
            // If it is, reading from there fails, and the member that joins next asks again.
            tracing::debug!(%error, topic, partition, "asking for the end of a partition failed");
            false
        }
    }
}

fn list_of(positions: &[Position]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, position) in positions {
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(*position))?;
    }
    Ok(list)
}

/// Not committed means delivered again, which the inbox takes care of.
fn commit<C: ConsumerContext>(consumer: &BaseConsumer<C>, positions: &[Position], mode: CommitMode) {
    if positions.is_empty() {
        return;
    }
    if let Err(error) = list_of(positions).and_then(|list| consumer.commit(&list, mode)) {
        tracing::debug!(%error, "committing positions failed");
    }
}

/// A member of a group.
pub(super) struct Member {
    consumer: BaseConsumer<Rebalancing>,
    group: String,
    topics: Vec<String>,
    known: Arc<Topics>,
    events: Events,
    commands: mpsc::UnboundedReceiver<Command>,
    load: Arc<Load>,
    reader: Reader,
    flow: Flow,
    /// When to look whether what was committed last arrived.
    confirm_at: Option<Instant>,
}

/// Whether messages are taken from the library.
#[derive(Clone, Copy)]
enum Flow {
    Open,
    /// Too much is in work, since then.
    Full(Instant),
    /// It stays too much: nothing is fetched, and polling goes on.
    Paused,
}

impl Member {
    pub fn new(
        clients: &Clients,
        (group, topics): (&str, &[String]),
        events: Events,
        commands: mpsc::UnboundedReceiver<Command>,
        (known, load): (Arc<Topics>, Arc<Load>),
    ) -> Result<Self, Error> {
        let consumer = clients.member(
            group,
            Rebalancing {
                events: events.clone(),
                gathered: Mutex::default(),
                positions: Mutex::default(),
            },
        )?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&names)
            .map_err(Error::kafka("subscribing to topics"))?;
        Ok(Self {
            consumer,
            group: group.to_owned(),
            topics: topics.to_vec(),
            known,
            events,
            commands,
            load,
            reader: Reader::default(),
            flow: Flow::Open,
            confirm_at: None,
        })
    }

    pub fn run(mut self) {
        let _ = self.load.thread.set(std::thread::current());
        let left = loop {
            match self.commands.try_recv() {
                Ok(Command::Commit(positions)) => {
                    let newer = self.consumer.context().positions().advance(positions);
                    self.commit_soon(&newer);
                    continue;
                }
                Ok(Command::Leave(positions, left)) => {
                    commit(&self.consumer, &positions, CommitMode::Sync);
                    break Some(left);
                }
                Err(mpsc::error::TryRecvError::Disconnected) => break None,
                Err(mpsc::error::TryRecvError::Empty) => {}
            }
            self.confirm();
            self.regulate();
            if let Flow::Full(_) = self.flow {
                std::thread::park_timeout(POLL);
            } else if !self.take() {
                break None;
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

    fn commit_soon(&mut self, positions: &[Position]) {
        if !positions.is_empty() {
            commit(&self.consumer, positions, CommitMode::Async);
            self.confirm_at = Some(Instant::now() + CONFIRM_AFTER);
        }
    }

    /// Commits again what the group does not have. The library does not tell what became of a commit, and those sent while
    /// members come and go can be lost.
    fn confirm(&mut self) {
        if self.confirm_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let due = self.consumer.context().positions().due();
        let committed = list_of(&due).and_then(|list| self.consumer.committed_offsets(list, CONFIRM_WITHIN));
        let missing = match committed {
            Ok(committed) => due
                .into_iter()
                .filter(|(partition, position)| {
                    let found = committed.find_partition(&partition.topic, partition.number);
                    !found.is_some_and(
                        |found| matches!(found.offset(), Offset::Offset(found) if found >= *position),
                    )
                })
                .collect(),
            Err(error) => {
                tracing::debug!(%error, group = self.group, "asking what was committed failed, asking again");
                due
            }
        };
        self.confirm_at = None;
        self.commit_soon(&missing);
    }

    /// Takes what is there, waiting for the first, and hands it over together. `false`: nobody takes it any more.
    fn take(&mut self) -> bool {
        let mut wait = POLL;
        loop {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let incoming = self.reader.read(&message);
                    self.load.add(incoming.weight());
                    if self.consumer.context().gather(incoming) >= HAND_OVER || self.load.is_full() {
                        break;
                    }
                }
                Some(Err(error)) => self.report(error),
                None => break,
            }
            wait = Duration::ZERO;
        }
        self.consumer.context().hand_over()
    }

    /// Takes no more than can be worked on.
    fn regulate(&mut self) {
        let load = self.load.now();
        match self.flow {
            Flow::Open if load >= Load::HIGH => self.flow = Flow::Full(Instant::now()),
            Flow::Full(_) if load < Load::LOW => self.flow = Flow::Open,
            Flow::Full(since) if since.elapsed() >= STUCK_AFTER => self.pause(),
            // Again each time: partitions may have been added.
            Flow::Paused if load >= Load::LOW => self.pause(),
            Flow::Paused => match self
                .consumer
                .assignment()
                .and_then(|assigned| self.consumer.resume(&assigned))
            {
                Ok(()) => self.flow = Flow::Open,
                Err(error) => tracing::warn!(%error, "resuming partitions failed, trying again"),
            },
            Flow::Open | Flow::Full(_) => {}
        }
    }

    fn pause(&mut self) {
        match self
            .consumer
            .assignment()
            .and_then(|assigned| self.consumer.pause(&assigned))
        {
            Ok(()) => self.flow = Flow::Paused,
            Err(error) => tracing::warn!(%error, "pausing partitions failed, trying again"),
        }
    }

    /// What the library reports between messages: it recovers from most by itself.
    fn report(&self, error: KafkaError) {
        let code = error.rdkafka_error_code();
        let lost = matches!(
            code,
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        );
        let refused = matches!(
            code,
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
            )
        );
        if refused {
            // The library would wait without a word. Whoever supervises says it aloud, and subscribing again looks whether
            // the topics exist.
            for topic in &self.topics {
                self.known.forget(topic);
            }
            let _ = self.events.send(Err(Error::Kafka {
                doing: "reading topics, which are gone or forbidden",
                source: error,
            }));
        } else if lost {
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
    (topic, partition): (&str, i32),
    sink: &Sink,
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
    let mut reader = Reader::default();
    while !stop.is_cancelled() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => sink(reader.read(&message)),
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
