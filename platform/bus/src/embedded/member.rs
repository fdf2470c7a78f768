//! One member of a group, as a task: beats, fetches, stores positions, hands partitions over.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ferrex_postgres::Dedicated;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::group::{self, Beat, Claim, GroupState};
use super::wake::Bell;
use super::{Shared, log, member_id};
use crate::Error;
use crate::transport::{Command, Event, Incoming, Load, Partition, Position};

/// A partition that is ours.
struct Held {
    epoch: i64,
    /// The next message to fetch.
    next: i64,
}

/// A partition being handed over: the answer with its last position, and the epochs it was held under.
type HandOver = BoxFuture<'static, (HashMap<Partition, i64>, Vec<Position>)>;

pub(super) struct Member {
    shared: Arc<Shared>,
    group: String,
    topics: Vec<String>,
    id: Uuid,
    bell: Arc<Bell>,
    connection: Dedicated,
    events: mpsc::UnboundedSender<Result<Event, Error>>,
    commands: mpsc::UnboundedReceiver<Command>,
    load: Arc<Load>,
    held: HashMap<Partition, Held>,
    /// Not ours to fetch any more, not yet given back.
    leaving: HashMap<Partition, i64>,
    hand_overs: FuturesUnordered<HandOver>,
    last_beat: Instant,
    /// The group as the last beat left it, if nothing is under way or unknown since: then the next has nothing to settle.
    settled: Option<GroupState>,
    failing: bool,
}

impl Member {
    pub fn new(
        shared: Arc<Shared>,
        group: String,
        topics: Vec<String>,
        events: mpsc::UnboundedSender<Result<Event, Error>>,
        commands: mpsc::UnboundedReceiver<Command>,
        load: Arc<Load>,
    ) -> Self {
        let bell = shared
            .wake
            .bell(topics.iter().cloned().collect::<HashSet<_>>(), group.clone());
        Self {
            connection: Dedicated::new(&shared.db),
            shared,
            group,
            topics,
            id: member_id(),
            bell,
            events,
            commands,
            load,
            held: HashMap::new(),
            leaving: HashMap::new(),
            hand_overs: FuturesUnordered::new(),
            last_beat: Instant::now(),
            settled: None,
            failing: false,
        }
    }

    pub async fn run(mut self) {
        let mut beats = tokio::time::interval(self.shared.session_timeout / 5);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let bell = Arc::clone(&self.bell);
        let load = Arc::clone(&self.load);
        let mut more = true;
        let mut last_look = Instant::now();
        loop {
            // From the last fetch, not from the last event, so that a busy member looks too.
            let look = if more {
                last_look
            } else {
                last_look + self.shared.look_every
            };
            // What is fetched goes to a channel without bound, so the load must be watched before each fetch.
            let full = load.is_full();
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Commit(positions)) => self.store(positions).await,
                    Some(Command::Leave(positions, left)) => {
                        self.store(positions).await;
                        let gone = group::leave(&self.shared.db, &self.group, self.id).await;
                        self.note(gone.err());
                        self.shared.wake.regrouped(&self.group);
                        let _ = left.send(());
                        return;
                    }
                    // Dropped without leaving: as if the process had died.
                    None => return,
                },
                _ = beats.tick() => self.beat().await,
                () = bell.membership.notified() => self.beat().await,
                Some((epochs, positions)) = self.hand_overs.next() => self.give_back(epochs, positions).await,
                () = load.eased.notified() => more = true,
                () = bell.records.notified() => more = true,
                () = tokio::time::sleep_until(look), if !full => {
                    more = self.fetch().await;
                    last_look = Instant::now();
                }
            }
            if self.events.is_closed() && self.commands.is_closed() {
                return;
            }
        }
    }

    /// Logs the first failure of a row; the member goes on and tries again.
    fn note(&mut self, error: Option<Error>) {
        match error {
            Some(error) if !self.failing => {
                let reason = ferrex_fault::Fault::from(error).chain();
                tracing::warn!(
                    group = self.group,
                    reason,
                    "the embedded bus cannot be used, trying again"
                );
                self.failing = true;
            }
            Some(_) => {}
            None => self.failing = false,
        }
    }

    async fn beat(&mut self) {
        let (db, timeout) = (&self.shared.db, self.shared.session_timeout);
        let unchanged = match self.settled.take() {
            None => Ok(None),
            Some(left) => self
                .connection
                .run(async |connection| {
                    group::beat_unchanged(connection, &self.group, self.id, &self.topics, timeout, &left)
                        .await
                })
                .await
                .map(|unchanged| unchanged.then_some(left)),
        };
        let beat = match unchanged {
            Ok(None) => group::beat(db, &self.group, self.id, &self.topics, timeout)
                .await
                .map(Some),
            Ok(Some(left)) => {
                self.settled = Some(left);
                Ok(None)
            }
            Err(error) => Err(error),
        };
        let beat = match beat {
            Ok(beat) => beat,
            Err(error) => {
                self.note(Some(error));
                // The others take us for dead by now and may have our partitions.
                if self.last_beat.elapsed() > self.shared.session_timeout {
                    let held: Vec<Partition> = self.held.keys().cloned().collect();
                    self.lose(held);
                }
                return;
            }
        };
        self.note(None);
        self.last_beat = Instant::now();
        if let Some(beat) = beat {
            self.settle(beat);
        }
    }

    /// Takes up what a beat says is ours, and begins to give back what it says is too much.
    fn settle(&mut self, beat: Beat) {
        let mine: HashMap<Partition, Claim> = beat
            .mine
            .into_iter()
            .map(|claim| (Partition::new(&claim.topic, claim.partition), claim))
            .collect();
        let lost: Vec<Partition> = self
            .held
            .iter()
            .filter(|(partition, held)| mine.get(partition).is_none_or(|claim| claim.epoch != held.epoch))
            .map(|(partition, _)| partition.clone())
            .collect();
        self.lose(lost);
        for (partition, claim) in mine {
            if !self.held.contains_key(&partition) && !self.leaving.contains_key(&partition) {
                self.held.insert(
                    partition,
                    Held {
                        epoch: claim.epoch,
                        next: claim.position,
                    },
                );
                // Fetching begins at once instead of with the next look.
                self.bell.records.notify_one();
            }
        }
        self.hand_over(&beat.give_back);
        if beat.changed {
            self.shared.wake.regrouped(&self.group);
        }
        if self.leaving.is_empty() {
            self.settled = Some(beat.state);
        }
    }

    /// Somebody else has these partitions.
    fn lose(&mut self, lost: Vec<Partition>) {
        for partition in &lost {
            self.held.remove(partition);
        }
        if !lost.is_empty() {
            tracing::warn!(
                group = self.group,
                partitions = lost.len(),
                "partitions were taken over by another member"
            );
            let (done, _) = oneshot::channel();
            let _ = self.events.send(Ok(Event::Revoked {
                partitions: lost,
                lost: true,
                done,
            }));
        }
    }

    /// Stops fetching partitions and asks for their last positions; they are given back with the answer.
    fn hand_over(&mut self, partitions: &[Partition]) {
        let mut epochs = HashMap::new();
        for partition in partitions {
            if let Some(held) = self.held.remove(partition) {
                self.leaving.insert(partition.clone(), held.epoch);
                epochs.insert(partition.clone(), held.epoch);
            }
        }
        if epochs.is_empty() {
            return;
        }
        let (done, positions) = oneshot::channel();
        let partitions = epochs.keys().cloned().collect();
        let _ = self.events.send(Ok(Event::Revoked {
            partitions,
            lost: false,
            done,
        }));
        self.hand_overs.push(Box::pin(
            async move { (epochs, positions.await.unwrap_or_default()) },
        ));
    }

    async fn give_back(&mut self, epochs: HashMap<Partition, i64>, positions: Vec<Position>) {
        let last: HashMap<Partition, i64> = positions.into_iter().collect();
        let updates: Vec<(Position, i64)> = epochs
            .iter()
            // A position that did not move is not answered; the stored one, being higher than zero, stays.
            .map(|(partition, epoch)| {
                (
                    (partition.clone(), last.get(partition).copied().unwrap_or(0)),
                    *epoch,
                )
            })
            .collect();
        let stored = self.store_under(&updates, true).await;
        // Not stored: the next beat finds them ours again, and fetches from the position before.
        self.note(stored.err());
        for partition in epochs.keys() {
            self.leaving.remove(partition);
        }
        self.shared.wake.regrouped(&self.group);
    }

    async fn store(&mut self, positions: Vec<Position>) {
        let updates: Vec<(Position, i64)> = positions
            .into_iter()
            .filter_map(|(partition, position)| {
                let epoch = self.held.get(&partition).map(|held| held.epoch);
                let epoch = epoch.or_else(|| self.leaving.get(&partition).copied())?;
                Some(((partition, position), epoch))
            })
            .collect();
        if !updates.is_empty() {
            let stored = self.store_under(&updates, false).await;
            self.note(stored.err());
        }
    }

    async fn store_under(&mut self, updates: &[(Position, i64)], give_back: bool) -> Result<(), Error> {
        let (group, id) = (&self.group, self.id);
        self.connection
            .run(async |connection| group::store(connection, group, id, updates, give_back).await)
            .await
    }

    /// Fetches what is there; answers whether there is more. What comes after this has looked rings the bell.
    async fn fetch(&mut self) -> bool {
        if self.held.is_empty() {
            return false;
        }
        let positions: Vec<Position> = self
            .held
            .iter()
            .map(|(partition, held)| (partition.clone(), held.next))
            .collect();
        let found = self
            .connection
            .run(async |connection| log::read(connection, &positions, log::READ_MAX).await);
        let found = match found.await {
            Ok(found) => found,
            Err(error) => {
                self.note(Some(error));
                return false;
            }
        };
        let count = found.len();
        for record in &found {
            if let Some(held) = self.held.get_mut(&record.partition) {
                held.next = held.next.max(record.offset + 1);
            }
        }
        self.load.add(found.iter().map(Incoming::weight).sum());
        if count > 0 {
            let _ = self.events.send(Ok(Event::Records(found)));
        }
        // As many may be all of one partition's, or some of each.
        count >= usize::from(log::READ_MAX)
    }
}
