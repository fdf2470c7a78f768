//! The owner's loop: what comes is decided, written with one statement a batch, and answered after its commit.
//!
//! Statements are in flight while the next batch is decided ([`Pipeline`]), each on a connection of its own, so that processor and
//! database work at the same time. Memory is ahead of the journal then, and so the loop settles (waits until all is stored) before it
//! projects, forgets, or asks the journal about old ids. A failed or unknown commit ends the loop: the replies of all that was
//! decided are dropped (unknown), the state is thrown away, and the service begins again from the journal.

use std::task::Poll;

use ferrex_engine_client::Submission;
use ferrex_engine_core::{Action, Answer, Balance, Batch, Engine, OrderReport};
use ferrex_ids::{CommandId, HoldId};
use ferrex_runtime::kill;
use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::FuturesOrdered;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::gather::Patience;
use crate::lease::Kept;
use crate::pipeline::{AHEAD, Due, Pipeline};
use crate::projector::Projector;
use crate::relay::Relay;
use crate::shared::{Role, Shared};
use crate::snapshots::Holder;
use crate::standby::Taken;
use crate::store::{self, Appended};

/// How long the last projection may take when the process is shutting down.
const LAST_PROJECTION: Duration = Duration::from_secs(2);

/// So many that gather are decided together, for what they concern is then looked for together.
const TOGETHER: usize = 32;

/// What waits for the commit.
enum Reply {
    Answer(oneshot::Sender<Answer>, Answer),
    Balances(oneshot::Sender<Vec<Balance>>, Vec<Balance>),
    Holds(oneshot::Sender<Vec<HoldId>>, Vec<HoldId>),
}

/// A statement that has ended, and its connection.
struct Ended {
    connection: PgConnection,
    what: What,
}

/// How a statement has ended.
enum What {
    /// Rows were appended after row `previous`, which took so long.
    Appended {
        previous: u64,
        batch: Batch,
        took: Duration,
    },
    /// The one that it follows was not there, or took too long, and nothing was done.
    Early { previous: u64, batch: Batch },
    /// This is still the owner.
    Confirmed,
}

/// A statement that is on its way. Dropped, it may succeed or not.
type Flight = BoxFuture<'static, Result<Ended, Error>>;

pub(crate) struct Owner<'a> {
    shared: &'a Shared,
    engine: Engine,
    /// Those on which no statement is on its way.
    connections: Vec<PgConnection>,
    flights: FuturesOrdered<Flight>,
    epoch: u64,
    lease: Kept,
    lock_held: bool,
    projector: Projector,
    relay: Option<Relay>,
    gathered: Vec<Submission>,
    batch_max: usize,
    pipeline: Pipeline<Reply>,
    patience: Patience,
}

impl<'a> Owner<'a> {
    pub(crate) async fn start(shared: &'a Shared, taken: Taken) -> Result<Self, Error> {
        let Taken {
            engine,
            mut connection,
            lease,
            since,
            projected,
        } = taken;
        let kept = Kept::start(shared, lease.epoch, since);
        let lock_held = store::hold_lock(&mut connection).await?;
        let mut connections = vec![connection];
        while connections.len() < AHEAD {
            connections.push(shared.db.own_connection().await?);
        }
        let relay = shared
            .bus
            .clone()
            .map(|bus| Relay::start(shared, bus, engine.sequence()));
        tracing::info!(
            epoch = lease.epoch,
            sequence = engine.sequence(),
            "owns the ledger"
        );
        shared.role.send_replace(Role::Owner);
        shared.ready.set_ready();
        Ok(Self {
            projector: Projector::new(shared.clone(), projected),
            shared,
            pipeline: Pipeline::new(engine.sequence()),
            engine,
            connections,
            flights: FuturesOrdered::new(),
            epoch: lease.epoch,
            lease: kept,
            lock_held,
            relay,
            gathered: Vec::new(),
            batch_max: shared.config.batch_max.max(1),
            patience: Patience::default(),
        })
    }

    /// Serves until the process is shut down (`Ok`) or something ends the ownership (`Err`).
    pub(crate) async fn serve(
        mut self,
        submissions: &mut mpsc::Receiver<Submission>,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut tick = interval(self.shared.config.projection());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let room = self.room();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return self.hand_over(submissions).await,
                () = self.lease.lost() => return Err(Error::LeaseLost { epoch: self.epoch }),
                ended = ended(&mut self.flights) => {
                    let replies = self.landed(ended?).await;
                    self.go_on(replies, submissions).await?;
                }
                written = self.projector.written() => {
                    let reached = written?;
                    self.settle().await?;
                    self.projection_written(reached);
                }
                _ = tick.tick() => self.tick().await?,
                count = submissions.recv_many(&mut self.gathered, room), if room > 0 => {
                    if count == 0 {
                        return self.hand_over(submissions).await;
                    }
                    self.decide_gathered().await?;
                    self.go_on(Vec::new(), submissions).await?;
                }
            }
        }
    }

    /// How many more submissions the next batch takes.
    const fn room(&self) -> usize {
        self.batch_max.saturating_sub(self.pipeline.waiting())
    }

    /// Sends what is decided, if that is worth a statement, and answers those whose statement has landed. They are answered
    /// last, while the database is at work; or first, and what they send then is decided too, where that pays.
    async fn go_on(
        &mut self,
        replies: Vec<Reply>,
        submissions: &mut mpsc::Receiver<Submission>,
    ) -> Result<(), Error> {
        if !self.pipeline.is_worth_sending() {
            answer(replies);
            return Ok(());
        }
        let before = self.pipeline.waiting();
        let Some(wait) = self.patience.wait(before, self.batch_max) else {
            self.send().await;
            answer(replies);
            return Ok(());
        };
        answer(replies);
        let began = Instant::now();
        while self.pipeline.waiting() + self.gathered.len() < wait.until_gathered
            && began.elapsed() < wait.at_most
        {
            // A timer is too coarse for a part of a commit.
            tokio::task::yield_now().await;
            while self.gathered.len() < self.room()
                && let Ok(submission) = submissions.try_recv()
            {
                self.gathered.push(submission);
            }
            if self.gathered.len() >= TOGETHER {
                self.decide_gathered().await?;
            }
        }
        self.decide_gathered().await?;
        self.patience.waited(&wait, before, self.pipeline.waiting());
        self.send().await;
        Ok(())
    }

    /// Decides all that was gathered.
    async fn decide_gathered(&mut self) -> Result<(), Error> {
        self.look_up().await?;
        let commands = self.gathered.iter().filter_map(|submission| match submission {
            Submission::Command { command, .. } => Some(command),
            _ => None,
        });
        self.engine.look_ahead(commands);
        let mut gathered = std::mem::take(&mut self.gathered);
        for submission in gathered.drain(..) {
            self.decide(submission);
        }
        self.gathered = gathered;
        Ok(())
    }

    fn decide(&mut self, submission: Submission) {
        match submission {
            // Nobody waits any more, for whom the outcome is unknown: not to do it is one of its two sides.
            Submission::Command { reply, .. } if reply.is_closed() => {}
            Submission::Command { command, reply } => {
                let batch = self.pipeline.batch();
                let before = batch.rows.len();
                let outcome = self.engine.apply(&command, batch);
                let order = match command.action {
                    Action::PlaceOrder(_) => OrderReport::read(&batch.rows[before..]),
                    _ => None,
                };
                let answer = Answer { outcome, order };
                self.pipeline.reply(Reply::Answer(reply, answer), false);
            }
            Submission::Balances { owner, reply } => {
                let balances = self.engine.balances(&owner);
                self.pipeline.reply(Reply::Balances(reply, balances), true);
            }
            Submission::ExpiredHolds { now, limit, reply } => {
                let holds = self.engine.expired_holds(now, limit);
                self.pipeline.reply(Reply::Holds(reply, holds), true);
            }
        }
    }

    /// Does what is due, if anything is.
    async fn send(&mut self) {
        let flight = match self.pipeline.due() {
            None => return,
            Some(Due::Answer(replies)) => return answer(replies),
            Some(Due::Append {
                previous,
                batch,
                follows,
            }) => {
                let shard = self.engine.shard();
                append(self.connection(), self.epoch, previous, shard, batch, follows).boxed()
            }
            Some(Due::Confirm) => confirm(self.connection(), self.epoch).boxed(),
        };
        self.flights.push_back(leaving(flight).await);
    }

    fn connection(&mut self) -> PgConnection {
        self.connections
            .pop()
            .expect("nothing is due while as many statements are on their way as there are connections")
    }

    /// Takes what a statement has stored, or shown to be true: nobody else has written up to there. Returns who may be answered.
    async fn landed(&mut self, ended: Ended) -> Vec<Reply> {
        let Ended { connection, what } = ended;
        match what {
            What::Early { previous, batch } => {
                metrics::counter!("engine_early_batches_total").increment(1);
                let shard = self.engine.shard();
                let again = append(connection, self.epoch, previous, shard, batch, false).boxed();
                self.flights.push_front(leaving(again).await);
                Vec::new()
            }
            What::Confirmed => {
                self.connections.push(connection);
                self.pipeline.landed()
            }
            What::Appended {
                previous,
                batch,
                took,
            } => {
                self.connections.push(connection);
                let replies = self.pipeline.landed();
                self.patience.committed(replies.len(), took);
                metrics::histogram!("engine_commit_seconds").record(took);
                metrics::histogram!("engine_batch_rows")
                    .record(u32::try_from(batch.rows.len()).unwrap_or(u32::MAX));
                kill::point("engine.after_append");
                if let Some(relay) = &self.relay {
                    relay.offer(previous, batch);
                }
                replies
            }
        }
    }

    /// Has all that was decided stored and answered, so that memory is what the journal has.
    async fn settle(&mut self) -> Result<(), Error> {
        loop {
            self.send().await;
            if self.pipeline.is_settled() {
                return Ok(());
            }
            let ended = ended(&mut self.flights).await?;
            answer(self.landed(ended).await);
        }
    }

    /// A connection, once all is settled.
    async fn settled(&mut self) -> Result<&mut PgConnection, Error> {
        self.settle().await?;
        Ok(self.connections.last_mut().expect("no statement is on its way"))
    }

    /// Asks the journal about ids that are older than the window.
    async fn look_up(&mut self) -> Result<(), Error> {
        let (mut commands, mut holds): (Vec<CommandId>, Vec<HoldId>) = (Vec::new(), Vec::new());
        for submission in &self.gathered {
            if let Submission::Command { command, .. } = submission {
                if self.engine.needs_lookup(command.id) {
                    commands.push(command.id);
                }
                holds.extend(self.engine.holds_to_look_up(command));
            }
        }
        if !commands.is_empty() {
            metrics::counter!("engine_lookups_total").increment(commands.len() as u64);
            for (id, known) in store::known_by_id(self.settled().await?, &commands).await? {
                self.engine.remember(id, known);
            }
        }
        if !holds.is_empty() {
            for (hold, account) in store::closed_holds_by_id(self.settled().await?, &holds).await? {
                self.engine.remember_closed(hold, account);
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Error> {
        if !self.lock_held {
            self.lock_held = store::hold_lock(self.settled().await?).await?;
        }
        if self.projector.is_due(self.engine.sequence()) {
            self.settle().await?;
            self.projector.start(&mut self.engine);
        }
        if self.projector.aims_at(self.engine.sequence()) {
            self.shared.snapshot.grant(&mut self.engine, Holder::Owner);
        }
        // Under load a projection may be half a minute away, and millions of commands.
        self.engine
            .forget_commands_before(self.shared.window_from(), self.shared.config.window_commands_max);
        metrics::gauge!("engine_accounts").set(gauge(self.engine.ledger().account_count()));
        metrics::gauge!("engine_open_holds").set(gauge(self.engine.ledger().hold_count()));
        metrics::gauge!("engine_known_commands").set(gauge(self.engine.known_count()));
        Ok(())
    }

    /// All that was drained is stored now, and nothing has been drained since: old holds may be forgotten.
    fn projection_written(&mut self, reached: u64) {
        metrics::gauge!("engine_projection_lag_rows")
            .set(gauge(self.engine.sequence().saturating_sub(reached)));
        self.engine.forget_closed_holds();
    }

    /// Answers what is queued, gives the lease up, and leaves a fresh projection behind.
    async fn hand_over(mut self, submissions: &mut mpsc::Receiver<Submission>) -> Result<(), Error> {
        submissions.close();
        self.settle().await?;
        while submissions.recv_many(&mut self.gathered, self.batch_max).await > 0 {
            self.decide_gathered().await?;
            self.settle().await?;
        }
        self.shared.become_standby(None);
        let epoch = self.epoch;
        store::release_lease(self.settled().await?, epoch).await?;
        tracing::info!(
            epoch = self.epoch,
            sequence = self.engine.sequence(),
            "gave the ledger up"
        );
        // The owner's lock goes with its connection.
        for connection in self.connections.drain(..) {
            let _ = connection.close().await;
        }
        if let Ok(written) = timeout(LAST_PROJECTION, self.projector.finish(&mut self.engine)).await {
            written?;
        }
        Ok(())
    }
}

/// The first statement that is on its way, when it has ended; never, when there is none.
async fn ended(flights: &mut FuturesOrdered<Flight>) -> Result<Ended, Error> {
    match flights.next().await {
        None => std::future::pending().await,
        Some(ended) => ended,
    }
}

/// The same statement, which has left: not only when this task waits the next time.
async fn leaving(mut flight: Flight) -> Flight {
    match futures::poll!(&mut flight) {
        Poll::Pending => flight,
        Poll::Ready(ended) => std::future::ready(ended).boxed(),
    }
}

/// Appends a batch. One that `follows` another may reach the database before it, and waits for it there.
async fn append(
    mut connection: PgConnection,
    epoch: u64,
    previous: u64,
    shard: u16,
    batch: Batch,
    follows: bool,
) -> Result<Ended, Error> {
    kill::point("engine.before_append");
    let started = Instant::now();
    let appended = store::append(&mut connection, epoch, previous, shard, &batch, follows).await?;
    let what = match appended {
        Appended::Stored => What::Appended {
            previous,
            batch,
            took: started.elapsed(),
        },
        Appended::Early => What::Early { previous, batch },
    };
    Ok(Ended { connection, what })
}

/// Asks whether this is still the owner.
async fn confirm(mut connection: PgConnection, epoch: u64) -> Result<Ended, Error> {
    // The lease does not show it: a standby takes the ledger at once when the owner's connection is gone.
    if !store::is_epoch(&mut connection, epoch).await? {
        return Err(Error::LeaseLost { epoch });
    }
    Ok(Ended {
        connection,
        what: What::Confirmed,
    })
}

fn answer(replies: Vec<Reply>) {
    for reply in replies {
        // A caller that has gone needs no answer.
        match reply {
            Reply::Answer(reply, answer) => drop(reply.send(answer)),
            Reply::Balances(reply, balances) => drop(reply.send(balances)),
            Reply::Holds(reply, holds) => drop(reply.send(holds)),
        }
    }
}

/// A count as a metric shows it.
pub(crate) fn gauge(count: impl TryInto<u32>) -> f64 {
    count.try_into().unwrap_or(u32::MAX).into()
}
