//! One member of a consumer group: messages into lanes by key or into batches, finished offsets into positions.
//!
//! A partition is in one of three modes. Idle: nothing is in work. Lanes: each key has a lane, lanes run side by side.
//! Batch: one run of messages of a batched type is handled in one transaction, and what comes meanwhile gathers. A batch
//! begins only when no lane is in work and the other way round, so the order per key holds across modes. A batch that fails
//! leaves nothing behind and goes through the lanes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::transport::{Event, Incoming, Load, Partition, Position, Subscription};

/// How soon a finished message's offset is on its way.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// How long messages in work may take to finish when partitions are taken away or the service stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);
/// Most messages in one transaction.
const BATCH_MAX: usize = 1_000;
/// So many that wait are a batch that is worth its cost.
const MANY: usize = 100;

/// How far apart two batches of a partition begin, so that each carries many when many come: a batch costs much, and each of its
/// messages little. One that comes after a longer pause is not waited for.
fn apart(messages: usize, took: Duration) -> Duration {
    /// Where messages come faster than one in this time, batches are as far apart as they may be.
    const A_MESSAGE: Duration = Duration::from_millis(2);
    const MOST: Duration = Duration::from_millis(50);
    let gathering = A_MESSAGE * u32::try_from(messages).unwrap_or(u32::MAX);
    // Where they come slowly, a partition is at work half of the time at most.
    gathering.max(2 * took).min(MOST)
}

/// What is done with messages.
#[async_trait]
pub(super) trait Processor: Send + Sync + 'static {
    /// Handles one for good, however often that takes. `false`: told to stop before it was done.
    async fn process(&self, incoming: Incoming, stop: &CancellationToken) -> bool;

    /// Messages with the same answer may be handled together. `None`: each alone.
    fn batch<'i>(&self, incoming: &'i Incoming) -> Option<&'i str>;

    /// Handles messages together, in order. `false`: nothing was done, each must be handled alone.
    async fn process_batch(&self, batch: &[Incoming], stop: &CancellationToken) -> bool;
}

/// Messages of one lane are handled one after the other.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Lane {
    Key(Bytes),
    /// No key, no order: a lane of its own.
    Offset(i64),
}

impl Lane {
    fn of(incoming: &Incoming) -> Self {
        match &incoming.key {
            Some(key) if !key.is_empty() => Self::Key(key.clone()),
            _ => Self::Offset(incoming.offset),
        }
    }
}

/// One partition that this member holds.
struct Holding {
    /// Tells this holding of the partition from an earlier one whose last messages are still in work.
    number: u64,
    /// Cancelled when the partition is taken away.
    stop: CancellationToken,
    unfinished: BTreeSet<i64>,
    /// After the last message received.
    next: i64,
    committed: i64,
    /// What gathers while a batch is in work.
    backlog: VecDeque<Incoming>,
    batch_in_work: bool,
    /// Lanes in work, each with the messages that wait behind the one being handled.
    lanes: HashMap<Lane, VecDeque<Incoming>>,
}

impl Holding {
    /// Everything before is done.
    fn position(&self) -> i64 {
        self.unfinished.first().copied().unwrap_or(self.next)
    }

    fn is_working(&self) -> bool {
        self.batch_in_work || !self.lanes.is_empty()
    }

    /// Forgets what is not in work yet.
    fn drop_waiting(&mut self, load: &Load) {
        let lanes = self.lanes.values_mut().flat_map(std::mem::take);
        load.remove(
            lanes
                .chain(std::mem::take(&mut self.backlog))
                .map(|incoming| incoming.weight())
                .sum(),
        );
    }
}

struct Finished {
    partition: Partition,
    holding: u64,
    work: Work,
    done: bool,
}

enum Work {
    Lane {
        lane: Lane,
        offset: i64,
        weight: usize,
    },
    Batch {
        batch: Vec<Incoming>,
        begun: Instant,
    },
    /// What comes meanwhile gathers for the next batch.
    Rest,
}

impl Work {
    fn weight(&self) -> usize {
        match self {
            Self::Lane { weight, .. } => *weight,
            Self::Batch { batch, .. } => weight(batch),
            Self::Rest => 0,
        }
    }
}

fn weight(messages: &[Incoming]) -> usize {
    messages.iter().map(Incoming::weight).sum()
}

pub(super) struct Member<P> {
    subscription: Subscription,
    processor: Arc<P>,
    holdings: HashMap<Partition, Holding>,
    tasks: JoinSet<Finished>,
    last_number: u64,
    dirty: bool,
}

impl<P: Processor> Member<P> {
    pub fn new(subscription: Subscription, processor: Arc<P>) -> Self {
        let (holdings, tasks) = (HashMap::new(), JoinSet::new());
        Self {
            subscription,
            processor,
            holdings,
            tasks,
            last_number: 0,
            dirty: false,
        }
    }

    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                Some(finished) = self.tasks.join_next() => self.finish(finished),
                _ = flush.tick(), if self.dirty => self.flush(),
                event = self.subscription.next() => match event {
                    Ok(Event::Records(records)) => self.accept(records),
                    Ok(Event::Revoked { partitions, lost, done }) => {
                        let positions = self.release(&partitions).await;
                        let _ = done.send(if lost { Vec::new() } else { positions });
                    }
                    Err(error) => break Err(error),
                },
            }
        };
        let held: Vec<Partition> = self.holdings.keys().cloned().collect();
        let positions = self.release(&held).await;
        // What did not finish in time is cancelled, its transaction rolled back, its offset not committed.
        drop(self.tasks);
        self.subscription.leave(positions).await;
        outcome
    }

    fn accept(&mut self, records: Vec<Incoming>) {
        let mut touched = BTreeSet::new();
        let mut records = records.into_iter().peekable();
        while let Some(first) = records.next() {
            let partition = first.partition.clone();
            let last_number = &mut self.last_number;
            let holding = self.holdings.entry(partition.clone()).or_insert_with(|| {
                *last_number += 1;
                Holding {
                    number: *last_number,
                    stop: CancellationToken::new(),
                    unfinished: BTreeSet::new(),
                    next: first.offset,
                    committed: first.offset,
                    backlog: VecDeque::new(),
                    batch_in_work: false,
                    lanes: HashMap::new(),
                }
            });
            let mut next = Some(first);
            while let Some(incoming) = next {
                next = records.next_if(|next| next.partition == partition);
                if incoming.offset < holding.next {
                    // The transport went back (a broker that failed over, a position set by hand): it is in work or done.
                    self.subscription.load.remove(incoming.weight());
                    continue;
                }
                holding.unfinished.insert(incoming.offset);
                holding.next = incoming.offset + 1;
                holding.backlog.push_back(incoming);
            }
            touched.insert(partition);
        }
        for partition in touched {
            self.pump(&partition);
        }
    }

    /// Sets to work what may begin.
    fn pump(&mut self, partition: &Partition) {
        let Some(holding) = self.holdings.get_mut(partition) else {
            return;
        };
        while !holding.batch_in_work {
            let Some(first) = holding.backlog.pop_front() else {
                return;
            };
            let batch_of = self
                .processor
                .batch(&first)
                .filter(|_| holding.lanes.is_empty())
                .map(str::to_owned);
            let Some(batch_of) = batch_of else {
                Self::into_lane(&mut self.tasks, &self.processor, holding, first);
                continue;
            };
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && holding
                    .backlog
                    .front()
                    .is_some_and(|next| self.processor.batch(next) == Some(&*batch_of))
            {
                batch.extend(holding.backlog.pop_front());
            }
            holding.batch_in_work = true;
            let (processor, stop) = (Arc::clone(&self.processor), holding.stop.clone());
            let (partition, number) = (partition.clone(), holding.number);
            self.tasks.spawn(async move {
                let begun = Instant::now();
                let done = processor.process_batch(&batch, &stop).await;
                Finished {
                    partition,
                    holding: number,
                    work: Work::Batch { batch, begun },
                    done,
                }
            });
        }
    }

    fn into_lane(
        tasks: &mut JoinSet<Finished>,
        processor: &Arc<P>,
        holding: &mut Holding,
        incoming: Incoming,
    ) {
        let lane = Lane::of(&incoming);
        if let Some(waiting) = holding.lanes.get_mut(&lane) {
            waiting.push_back(incoming);
        } else {
            holding.lanes.insert(lane.clone(), VecDeque::new());
            Self::start(tasks, processor, holding, lane, incoming);
        }
    }

    fn start(
        tasks: &mut JoinSet<Finished>,
        processor: &Arc<P>,
        holding: &Holding,
        lane: Lane,
        incoming: Incoming,
    ) {
        let (processor, stop, number) = (Arc::clone(processor), holding.stop.clone(), holding.number);
        tasks.spawn(async move {
            let (partition, offset, weight) =
                (incoming.partition.clone(), incoming.offset, incoming.weight());
            let done = processor.process(incoming, &stop).await;
            Finished {
                partition,
                holding: number,
                work: Work::Lane { lane, offset, weight },
                done,
            }
        });
    }

    /// Lets messages gather; ends at once when the partition is taken away.
    fn rest(tasks: &mut JoinSet<Finished>, partition: &Partition, holding: &Holding, until: Instant) {
        let (partition, stop, number) = (partition.clone(), holding.stop.clone(), holding.number);
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(until) => {}
            }
            Finished {
                partition,
                holding: number,
                work: Work::Rest,
                done: false,
            }
        });
    }

    fn finish(&mut self, finished: Result<Finished, JoinError>) {
        let Finished {
            partition,
            holding: number,
            work,
            done,
        } = match finished {
            Ok(finished) => finished,
            Err(error) => {
                // Handlers' panics are caught in the processor, so this is a defect of this crate: its partition halts.
                tracing::error!(%error, "a message's task ended without a result");
                return;
            }
        };
        let load = &self.subscription.load;
        let Some(holding) = self
            .holdings
            .get_mut(&partition)
            .filter(|holding| holding.number == number)
        else {
            // Given up when the partition was taken away.
            load.remove(work.weight());
            return;
        };
        self.dirty |= done;
        match work {
            Work::Lane { lane, offset, weight } => {
                load.remove(weight);
                if done {
                    holding.unfinished.remove(&offset);
                }
                let waiting = holding.lanes.get_mut(&lane);
                match waiting.and_then(VecDeque::pop_front) {
                    Some(incoming) if done => {
                        Self::start(&mut self.tasks, &self.processor, holding, lane, incoming);
                    }
                    not_begun => {
                        let dropped = holding.lanes.remove(&lane).into_iter().flatten();
                        load.remove(
                            not_begun
                                .into_iter()
                                .chain(dropped)
                                .map(|incoming| incoming.weight())
                                .sum(),
                        );
                    }
                }
            }
            Work::Rest => holding.batch_in_work = false,
            Work::Batch { batch, begun } => {
                let rest_until = begun + apart(batch.len(), begun.elapsed());
                let few_wait = holding.backlog.len() < MANY;
                let rests = done && few_wait && Instant::now() < rest_until;
                holding.batch_in_work = rests;
                if rests {
                    Self::rest(&mut self.tasks, &partition, holding, rest_until);
                }
                if done {
                    load.remove(weight(&batch));
                    for incoming in batch {
                        holding.unfinished.remove(&incoming.offset);
                    }
                } else if holding.stop.is_cancelled() {
                    load.remove(weight(&batch));
                } else {
                    for incoming in batch {
                        Self::into_lane(&mut self.tasks, &self.processor, holding, incoming);
                    }
                }
            }
        }
        self.pump(&partition);
    }

    fn flush(&mut self) {
        self.dirty = false;
        let mut positions = Vec::new();
        for (partition, holding) in &mut self.holdings {
            let position = holding.position();
            if position > holding.committed {
                holding.committed = position;
                positions.push((partition.clone(), position));
            }
        }
        if !positions.is_empty() {
            self.subscription.commit(positions);
        }
    }

    /// Stops work on partitions, waits for what is being handled, and tells where others go on.
    async fn release(&mut self, partitions: &[Partition]) -> Vec<Position> {
        for partition in partitions {
            if let Some(holding) = self.holdings.get_mut(partition) {
                holding.stop.cancel();
                holding.drop_waiting(&self.subscription.load);
            }
        }
        let deadline = Instant::now() + DRAIN_WITHIN;
        while partitions
            .iter()
            .any(|partition| self.holdings.get(partition).is_some_and(Holding::is_working))
        {
            tokio::select! {
                Some(finished) = self.tasks.join_next() => self.finish(finished),
                () = tokio::time::sleep_until(deadline) => {
                    tracing::warn!("messages in work did not finish in time, others will handle them again");
                    break;
                }
            }
        }
        let mut positions = Vec::new();
        for partition in partitions {
            if let Some(holding) = self.holdings.remove(partition) {
                // Also one that was sent before: that commit may have failed.
                positions.push((partition.clone(), holding.position()));
            }
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_begin_further_apart_the_more_they_carry_and_the_longer_they_take() {
        let apart_ms = |messages, took| apart(messages, Duration::from_millis(took)).as_millis();
        assert_eq!(apart_ms(1, 1), 2);
        assert_eq!(apart_ms(1, 4), 8);
        assert_eq!(apart_ms(10, 4), 20);
        assert_eq!(apart_ms(25, 4), 50);
        assert_eq!(apart_ms(1_000, 1), 50);
        assert_eq!(apart_ms(1, 1_000), 50);
    }
}
