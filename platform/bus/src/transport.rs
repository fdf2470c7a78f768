//! The seam between the bus and what carries it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;
use ferrex_time::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Error, Headers, Place, Receipt};

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub topic: Arc<str>,
    pub number: i32,
}

impl Partition {
    pub fn new(topic: &str, number: i32) -> Self {
        Self {
            topic: topic.into(),
            number,
        }
    }
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub topic: ByteString,
    /// Where exactly; by key when absent.
    pub partition: Option<i32>,
    pub key: Option<Bytes>,
    pub headers: Headers,
    pub body: Option<Bytes>,
}

/// A message on its way in.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub partition: Partition,
    pub offset: i64,
    pub key: Option<Bytes>,
    pub headers: Headers,
    pub body: Option<Bytes>,
    /// When the transport took it.
    pub at: Timestamp,
}

impl Incoming {
    /// What it counts for in a [`Load`]: one, and one more for each kilobyte, so that few large ones fill it too.
    pub fn weight(&self) -> usize {
        1 + self.body.as_ref().map_or(0, Bytes::len) / 1024
    }
}

/// The topics of records, each once.
pub(crate) fn topics<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<String> {
    let topics: BTreeSet<&str> = records.map(|record| &*record.topic).collect();
    topics.into_iter().map(str::to_owned).collect()
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Stored for good when the call returns.
    Durable,
    /// As fast as can be; may be lost with the machine, since whoever waits for it has a deadline.
    Fast,
}

/// Where a consumer goes on: the offset after the last one that is done.
pub(crate) type Position = (Partition, i64);

/// What a member of a group is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// Messages, in order within each partition.
    Records(Vec<Incoming>),
    /// Partitions are taken away once `done` is answered with their last positions. `lost`: they belong to somebody else
    /// already, nothing can be committed.
    Revoked {
        partitions: Vec<Partition>,
        lost: bool,
        done: oneshot::Sender<Vec<Position>>,
    },
}

/// What a member of a group says.
#[derive(Debug)]
pub(crate) enum Command {
    /// Remember these positions, soon.
    Commit(Vec<Position>),
    /// Remember these positions and leave the group.
    Leave(Vec<Position>, oneshot::Sender<()>),
}

/// How much a member has received and not finished, by weight; the transport hands over no more above a mark.
#[derive(Debug, Default)]
pub(crate) struct Load {
    outstanding: AtomicUsize,
    /// Told when the load falls below [`Self::LOW`].
    pub eased: Notify,
    /// The transport's thread, if it has one, which is unparked then.
    pub thread: OnceLock<Thread>,
}

impl Load {
    /// At this much no more is handed over.
    pub const HIGH: usize = 8_192;
    /// Handing over goes on below this, which is enough to work on meanwhile.
    pub const LOW: usize = 4_096;

    pub fn add(&self, weight: usize) {
        self.outstanding.fetch_add(weight, Ordering::SeqCst);
    }

    pub fn remove(&self, weight: usize) {
        let before = self.outstanding.fetch_sub(weight, Ordering::SeqCst);
        if before >= Self::LOW && before - weight < Self::LOW {
            self.eased.notify_one();
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }

    pub fn is_full(&self) -> bool {
        self.now() >= Self::HIGH
    }

    pub fn now(&self) -> usize {
        self.outstanding.load(Ordering::SeqCst)
    }
}

/// Membership of a group. Dropped without [`Subscription::leave`] it ends as if the process had died.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub events: mpsc::UnboundedReceiver<Result<Event, Error>>,
    pub commands: mpsc::UnboundedSender<Command>,
    pub load: Arc<Load>,
}

impl Subscription {
    /// The next event; safe to cancel.
    pub async fn next(&mut self) -> Result<Event, Error> {
        self.events.recv().await.unwrap_or(Err(Error::Closed))
    }

    pub fn commit(&self, positions: Vec<Position>) {
        // A member that has ended has nothing to commit to any more; `next` reports its end.
        let _ = self.commands.send(Command::Commit(positions));
    }

    /// Leaves the group, so that others take over at once.
    pub async fn leave(self, positions: Vec<Position>) {
        let (done, left) = oneshot::channel();
        // A revocation that is under way must not wait for an answer from here.
        drop(self.events);
        if self.commands.send(Command::Leave(positions, done)).is_ok() {
            let _ = left.await;
        }
    }
}

/// Takes what a [`Tail`] reads, where it is read, so that an answer wakes nobody but its asker. It must not block.
pub(crate) type Sink = Box<dyn Fn(Incoming) + Send>;

/// One partition read from its end on, in no group.
#[derive(Debug)]
pub(crate) struct Tail {
    pub partition: i32,
    /// Cancelled when the reading has ended, for whatever reason.
    pub ended: CancellationToken,
    /// Ends the reading when dropped.
    pub stop: DropGuard,
}

/// How far a group is behind in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where the group goes on; `None` when it has never committed there.
    pub position: Option<i64>,
    /// The offset that the next message will get.
    pub end: i64,
}

impl Lag {
    /// Messages not yet done.
    pub fn messages(&self) -> i64 {
        self.end - self.position.unwrap_or(0)
    }
}

#[async_trait]
pub(crate) trait Transport: Send + Sync + 'static {
    /// Creates the topics that do not exist.
    async fn ensure_topics(&self, topics: &[String]) -> Result<(), Error>;
    /// Publishes in the given order per key. An error leaves open which messages were stored. Receipts come in the order of
    /// the records, and none from a transport whose log cannot be lost without the services' own tables.
    async fn publish(&self, records: Vec<Record>, urgency: Urgency) -> Result<Vec<Receipt>, Error>;
    /// The offset that the next message of each partition will get; 0 for one that does not exist.
    async fn ends(&self, places: &[Place]) -> Result<Vec<i64>, Error>;
    /// Joins a group.
    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Subscription, Error>;
    /// Reads one partition of a topic, of the transport's choice, from its end on.
    async fn tail(&self, topic: &str, sink: Sink) -> Result<Tail, Error>;
    /// How far a group is behind.
    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error>;
    /// Whether messages can be sent now.
    async fn ping(&self) -> Result<(), Error>;
    /// Sends what is buffered and ends.
    async fn close(&self);
}

/// How long a topic keeps messages; requests and answers are of no use to anybody later.
pub(crate) fn retention_hours(topic: &str) -> i64 {
    if topic.contains(".requests.") || topic.contains(".replies.") {
        1
    } else {
        14 * 24
    }
}
