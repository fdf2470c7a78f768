//! The owner's loop: what has gathered is decided, written with one statement, and answered after its commit.
//!
//! One statement is in flight at a time and the next batch gathers in the queue meanwhile, so no batch ever rests on one
//! that is not known to be durable, and memory is never ahead of the journal when the loop waits. A failed or unknown
//! commit ends the loop: its callers' replies are dropped (unknown), the state is thrown away, and the service begins
//! again from the journal.

use ferrex_engine_client::Submission;
use ferrex_engine_core::{Action, Answer, Balance, Batch, Engine, OrderReport};
use ferrex_ids::{CommandId, HoldId};
use ferrex_runtime::kill;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::gather::Patience;
use crate::lease::Kept;
use crate::projector::Projector;
use crate::relay::Relay;
use crate::shared::{Role, Shared};
use crate::standby::Taken;
use crate::store;

/// How long the last projection may take when the process is shutting down.
const LAST_PROJECTION: Duration = Duration::from_secs(2);

/// What waits for the commit.
enum Reply {
    Answer(oneshot::Sender<Answer>, Answer),
    Balances(oneshot::Sender<Vec<Balance>>, Vec<Balance>),
    Holds(oneshot::Sender<Vec<HoldId>>, Vec<HoldId>),
}

pub(crate) struct Owner<'a> {
    shared: &'a Shared,
    engine: Engine,
    connection: PgConnection,
    epoch: u64,
    lease: Kept,
    lock_held: bool,
    projector: Projector,
    relay: Option<Relay>,
    gathered: Vec<Submission>,
    batch: Batch,
    replies: Vec<Reply>,
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
            engine,
            connection,
            epoch: lease.epoch,
            lease: kept,
            lock_held,
            relay,
            gathered: Vec::new(),
            batch: Batch::default(),
            replies: Vec::new(),
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
        let batch_max = self.shared.config.batch_max.max(1);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return self.hand_over(submissions).await,
                () = self.lease.lost() => return Err(Error::LeaseLost { epoch: self.epoch }),
                written = self.projector.written() => self.projection_written(written?),
                _ = tick.tick() => self.tick().await?,
                count = submissions.recv_many(&mut self.gathered, batch_max) => {
                    if count == 0 {
                        return self.hand_over(submissions).await;
                    }
                    self.gather(submissions, batch_max).await;
                    self.process().await?;
                }
            }
        }
    }

    /// Lets callers run that were answered a moment ago, and takes what they send.
    async fn gather(&mut self, submissions: &mut mpsc::Receiver<Submission>, batch_max: usize) {
        let before = self.gathered.len();
        let Some(wait) = self.patience.wait(before, batch_max) else {
            return;
        };
        let began = Instant::now();
        while self.gathered.len() < wait.until_gathered && began.elapsed() < wait.at_most {
            // A timer is too coarse for a part of a commit.
            tokio::task::yield_now().await;
            while self.gathered.len() < wait.until_gathered
                && let Ok(submission) = submissions.try_recv()
            {
                self.gathered.push(submission);
            }
        }
        self.patience.waited(&wait, before, self.gathered.len());
    }

    /// Decides all that was gathered, commits it, answers.
    async fn process(&mut self) -> Result<(), Error> {
        let mut gathered = std::mem::take(&mut self.gathered);
        self.look_up(&gathered).await?;
        let previous = self.engine.sequence();
        for submission in gathered.drain(..) {
            self.decide(submission);
        }
        self.gathered = gathered;
        if !self.batch.is_empty() {
            kill::point("engine.before_append");
            let started = Instant::now();
            store::append(
                &mut self.connection,
                self.epoch,
                previous,
                self.engine.shard(),
                &self.batch,
            )
            .await?;
            let took = started.elapsed();
            self.patience.committed(self.replies.len(), took);
            metrics::histogram!("engine_commit_seconds").record(took);
            metrics::histogram!("engine_batch_rows")
                .record(u32::try_from(self.batch.rows.len()).unwrap_or(u32::MAX));
            kill::point("engine.after_append");
            if let Some(relay) = &self.relay {
                relay.offer(previous, std::mem::take(&mut self.batch));
            }
            self.batch.clear();
        } else if self.shows_anything() {
            // Nothing was written that would have shown that this is still the owner, and the lease does not show it
            // either: a standby takes the ledger at once when this connection is gone.
            if !store::is_epoch(&mut self.connection, self.epoch).await? {
                return Err(Error::LeaseLost { epoch: self.epoch });
            }
        }
        self.answer();
        Ok(())
    }

    fn decide(&mut self, submission: Submission) {
        match submission {
            // Nobody waits any more, for whom the outcome is unknown: not to do it is one of its two sides.
            Submission::Command { reply, .. } if reply.is_closed() => {}
            Submission::Command { command, reply } => {
                let before = self.batch.rows.len();
                let outcome = self.engine.apply(&command, &mut self.batch);
                let order = match command.action {
                    Action::PlaceOrder(_) => OrderReport::read(&self.batch.rows[before..]),
                    _ => None,
                };
                self.replies.push(Reply::Answer(reply, Answer { outcome, order }));
            }
            Submission::Balances { owner, reply } => {
                self.replies
                    .push(Reply::Balances(reply, self.engine.balances(&owner)));
            }
            Submission::ExpiredHolds { now, limit, reply } => {
                self.replies
                    .push(Reply::Holds(reply, self.engine.expired_holds(now, limit)));
            }
        }
    }

    /// Whether a reply tells what is in memory.
    fn shows_anything(&self) -> bool {
        let shows = |reply: &Reply| matches!(reply, Reply::Balances(..) | Reply::Holds(..));
        self.replies.iter().any(shows)
    }

    /// Nobody else has written up to here: the commit, or the epoch that was read, came after what memory rests on.
    fn answer(&mut self) {
        for reply in self.replies.drain(..) {
            // A caller that has gone needs no answer.
            match reply {
                Reply::Answer(reply, answer) => drop(reply.send(answer)),
                Reply::Balances(reply, balances) => drop(reply.send(balances)),
                Reply::Holds(reply, holds) => drop(reply.send(holds)),
            }
        }
    }

    /// Asks the journal about ids that are older than the window.
    async fn look_up(&mut self, gathered: &[Submission]) -> Result<(), Error> {
        let (mut commands, mut holds): (Vec<CommandId>, Vec<HoldId>) = (Vec::new(), Vec::new());
        for submission in gathered {
            if let Submission::Command { command, .. } = submission {
                if self.engine.needs_lookup(command.id) {
                    commands.push(command.id);
                }
                holds.extend(self.engine.holds_to_look_up(command));
            }
        }
        if !commands.is_empty() {
            metrics::counter!("engine_lookups_total").increment(commands.len() as u64);
            for (id, known) in store::known_by_id(&mut self.connection, &commands).await? {
                self.engine.remember(id, known);
            }
        }
        if !holds.is_empty() {
            for (hold, account) in store::closed_holds_by_id(&mut self.connection, &holds).await? {
                self.engine.remember_closed(hold, account);
            }
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Error> {
        if !self.lock_held {
            self.lock_held = store::hold_lock(&mut self.connection).await?;
        }
        self.projector.start_when_due(&mut self.engine);
        metrics::gauge!("engine_accounts").set(gauge(self.engine.ledger().account_count()));
        metrics::gauge!("engine_open_holds").set(gauge(self.engine.ledger().hold_count()));
        metrics::gauge!("engine_known_commands").set(gauge(self.engine.known_count()));
        Ok(())
    }

    /// All that was drained is stored now, and nothing has been drained since: old ids may be forgotten.
    fn projection_written(&mut self, reached: u64) {
        metrics::gauge!("engine_projection_lag_rows")
            .set(gauge(self.engine.sequence().saturating_sub(reached)));
        self.engine
            .forget_before(self.shared.window_from(), self.shared.config.window_commands_max);
    }

    /// Answers what is queued, gives the lease up, and leaves a fresh projection behind.
    async fn hand_over(mut self, submissions: &mut mpsc::Receiver<Submission>) -> Result<(), Error> {
        submissions.close();
        let batch_max = self.shared.config.batch_max.max(1);
        while submissions.recv_many(&mut self.gathered, batch_max).await > 0 {
            self.process().await?;
        }
        self.shared.become_standby(None);
        store::release_lease(&mut self.connection, self.epoch).await?;
        tracing::info!(
            epoch = self.epoch,
            sequence = self.engine.sequence(),
            "gave the ledger up"
        );
        // The owner's lock goes with the connection.
        let _ = self.connection.close().await;
        if let Ok(written) = timeout(LAST_PROJECTION, self.projector.finish(&mut self.engine)).await {
            written?;
        }
        Ok(())
    }
}

/// A count as a metric shows it.
pub(crate) fn gauge(count: impl TryInto<u32>) -> f64 {
    count.try_into().unwrap_or(u32::MAX).into()
}
