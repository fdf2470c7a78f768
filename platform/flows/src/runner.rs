use std::sync::Arc;

use ferrex_bus::Outgoing;
use ferrex_ids::FlowId;
use ferrex_postgres::{Db, Error as DbError};
use ferrex_runtime::CancellationToken;
use ferrex_time::{SharedClock, Timestamp};
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::flow::name_of;
use crate::points::{self, kill_point};
use crate::setup::{Change, Options, Projection, Started};
use crate::store::{self, FlowRow, NewEffect, StepRow};
use crate::stored::{read, read_state, write};
use crate::{Actor, Effect, Error, Flow, FlowView, HistoryEntry, ParkedFlow, Performer, Step, effect_id};

/// All flows of one kind in one service. Cheap to clone.
pub struct Runner<F: Flow> {
    pub(crate) shared: Arc<Shared<F>>,
}

pub(crate) struct Shared<F: Flow> {
    flow: F,
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) options: Options,
    projection: Option<Arc<dyn Projection<F>>>,
    pub(crate) news: Notify,
}

impl<F: Flow> Clone for Runner<F> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<F: Flow> std::fmt::Debug for Runner<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("kind", &F::KIND)
            .finish_non_exhaustive()
    }
}

impl<F: Flow> Runner<F> {
    /// A runner over the flow tables in `db`'s schema. It performs nothing until [`Runner::run`].
    pub fn new(flow: F, db: Db, clock: SharedClock, options: Options) -> Self {
        Self::build(flow, db, clock, options, None)
    }

    /// As [`Runner::new`], with a table of the service that follows every step.
    pub fn with_projection(
        flow: F,
        db: Db,
        clock: SharedClock,
        options: Options,
        projection: Arc<dyn Projection<F>>,
    ) -> Self {
        Self::build(flow, db, clock, options, Some(projection))
    }

    fn build(
        flow: F,
        db: Db,
        clock: SharedClock,
        options: Options,
        projection: Option<Arc<dyn Projection<F>>>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                flow,
                db,
                clock,
                options,
                projection,
                news: Notify::new(),
            }),
        }
    }

    /// Starts a flow in the caller's transaction: `initial` takes `input` as its first step. A flow of this id that exists
    /// is left alone, so starting twice starts once.
    pub async fn start(
        &self,
        tx: &mut PgConnection,
        id: FlowId,
        initial: F::State,
        input: F::Input,
        actor: &Actor,
    ) -> Result<Started<F::State>, Error> {
        let started = self.begin(tx, id, initial, input, actor).await?;
        if let Started::New(state) = &started {
            kill_point::<F>("flow.after_persist", F::label(state));
        }
        Ok(started)
    }

    async fn begin(
        &self,
        tx: &mut PgConnection,
        id: FlowId,
        initial: F::State,
        input: F::Input,
        actor: &Actor,
    ) -> Result<Started<F::State>, Error> {
        if let Some(row) = store::find_flow(tx, F::KIND, id).await? {
            return Ok(Started::Already(read_state::<F>(id, row.version, row.state)?));
        }
        let at = self.shared.clock.now();
        let step = self.decide(id, &initial, &input, at)?;
        let decided = Decided {
            id,
            step: 1,
            at,
            actor,
            input: &input,
            before: None,
        };
        let first = decided.row(&step)?;
        if !store::insert_flow(tx, id, &first).await? {
            // Another transaction started it between the look and the insert and has committed.
            let Some(row) = store::find_flow(tx, F::KIND, id).await? else {
                return Err(Error::NotFound { kind: F::KIND, id });
            };
            return Ok(Started::Already(read_state::<F>(id, row.version, row.state)?));
        }
        let zeroth = StepRow {
            step: 0,
            input: None,
            label: F::label(&initial),
            state: write(id, "state", &initial)?,
            waiting_for: None,
            wake_at: None,
            effects: Vec::new(),
            ..decided.row(&step)?
        };
        store::insert_history(tx, id, &zeroth).await?;
        self.persist(tx, &decided, first, &step).await?;
        Ok(Started::New(step.state))
    }

    /// As [`Runner::start`], in a transaction of its own.
    pub async fn start_now(
        &self,
        id: FlowId,
        initial: F::State,
        input: F::Input,
        actor: &Actor,
    ) -> Result<Started<F::State>, Error> {
        let mut tx = self.shared.db.begin().await?;
        let started = self.begin(&mut tx, id, initial, input, actor).await?;
        commit(tx).await?;
        if let Started::New(state) = &started {
            self.persisted(state);
        }
        Ok(started)
    }

    /// Gives a flow an input, in a transaction of its own, and answers the state it led to.
    pub async fn send(&self, id: FlowId, input: F::Input, actor: &Actor) -> Result<F::State, Error> {
        let mut tx = self.shared.db.begin().await?;
        let state = self.lock_and_take(&mut tx, id, &input, actor).await?;
        commit(tx).await?;
        self.persisted(&state);
        Ok(state)
    }

    /// Gives a flow an input in the caller's transaction, which holds the flow's lock from then on.
    ///
    /// After an error the transaction must be rolled back: parts of the step may have been written.
    pub async fn send_in_tx(
        &self,
        tx: &mut PgConnection,
        id: FlowId,
        input: F::Input,
        actor: &Actor,
    ) -> Result<F::State, Error> {
        let state = self.lock_and_take(tx, id, &input, actor).await?;
        kill_point::<F>("flow.after_persist", F::label(&state));
        Ok(state)
    }

    async fn lock_and_take(
        &self,
        tx: &mut PgConnection,
        id: FlowId,
        input: &F::Input,
        actor: &Actor,
    ) -> Result<F::State, Error> {
        let row = store::lock_flow(tx, F::KIND, id).await?;
        let row = row.ok_or(Error::NotFound { kind: F::KIND, id })?;
        self.take(tx, row, input, actor).await
    }

    /// After the commit of a step in a transaction of our own.
    pub(crate) fn persisted(&self, state: &F::State) {
        kill_point::<F>("flow.after_persist", F::label(state));
        self.nudge();
    }

    /// Lets a locked flow take an input and writes everything that follows.
    pub(crate) async fn take(
        &self,
        tx: &mut PgConnection,
        row: FlowRow,
        input: &F::Input,
        actor: &Actor,
    ) -> Result<F::State, Error> {
        let id = FlowId::from_uuid(row.id);
        let before = read_state::<F>(id, row.version, row.state)?;
        // Clocks of several processes differ; a flow's own time never goes back.
        let at = self.shared.clock.now().max(row.updated_at);
        let step = self.decide(id, &before, input, at)?;
        let number = row.step.cast_unsigned() + 1;
        let decided = Decided {
            id,
            step: number,
            at,
            actor,
            input,
            before: Some(&before),
        };
        let next = decided.row(&step)?;
        if let Err(name) = store::revoke(tx, id, &step.revoke).await? {
            return Err(Error::EffectClaimed { id, name });
        }
        store::update_flow(tx, id, &next).await?;
        self.persist(tx, &decided, next, &step).await?;
        Ok(step.state)
    }

    fn decide(
        &self,
        id: FlowId,
        state: &F::State,
        input: &F::Input,
        at: Timestamp,
    ) -> Result<Step<F>, Error> {
        let step = self
            .shared
            .flow
            .step(state, input, at)
            .map_err(|fault| Error::Refused {
                id,
                fault: Box::new(fault),
            })?;
        let label = F::label(&step.state);
        debug_assert!(
            F::LABELS.contains(&label),
            "`{label}` is missing in the labels of {}",
            F::KIND
        );
        Ok(step)
    }

    /// Writes history, effects, messages and projection of a step whose flow row is written.
    async fn persist(
        &self,
        tx: &mut PgConnection,
        decided: &Decided<'_, F>,
        mut row: StepRow<'_>,
        step: &Step<F>,
    ) -> Result<(), Error> {
        let (id, label) = (decided.id, row.label);
        kill_point::<F>("flow.before_persist", label);
        for (position, effect) in (0u16..).zip(&step.effects) {
            let derived = effect_id(id, decided.step, position, decided.at);
            match effect {
                Effect::Do(action) => {
                    let action = write(id, "action", action)?;
                    let name = name_of(&action);
                    let effect = NewEffect {
                        id: derived,
                        position,
                        name,
                        action: &action,
                    };
                    store::insert_effect(tx, id, &row, &effect).await?;
                    row.effects.push(name.to_owned());
                }
                Effect::Publish(publication) => {
                    let body = publication.body.clone().map_err(|text| Error::Unwritable {
                        id,
                        what: "message",
                        source: serde::ser::Error::custom(text),
                    })?;
                    let message = Outgoing {
                        id: derived.cast(),
                        topic: publication.topic.into(),
                        message_type: publication.message_type.into(),
                        key: publication.key.as_str().into(),
                        at: decided.at,
                        source: self.shared.options.source.into(),
                        traceparent: ferrex_bus::trace::current(),
                        body: body.into(),
                    };
                    ferrex_bus::outbox::put(tx, &message)
                        .await
                        .map_err(|error| Error::Outbox {
                            id,
                            fault: Box::new(error.into()),
                        })?;
                    row.effects.push(publication.message_type.to_owned());
                }
            }
        }
        store::insert_history(tx, id, &row).await?;
        if let Some(projection) = &self.shared.projection {
            let change = Change {
                id,
                step: decided.step,
                at: decided.at,
                before: decided.before,
                input: decided.input,
                state: &step.state,
                waiting_for: step.waiting_for.as_deref(),
            };
            projection
                .project(tx, change)
                .await
                .map_err(|fault| Error::Projection {
                    id,
                    fault: Box::new(fault),
                })?;
        }
        metrics::counter!("ferrex_flow_steps_total", "kind" => F::KIND, "label" => label).increment(1);
        // The caller's commit is still to come; the worker looks several times within the next half second.
        self.nudge();
        Ok(())
    }

    /// Where a flow stands, with what is still to be done.
    pub async fn get(&self, id: FlowId) -> Result<Option<FlowView<F>>, Error> {
        let mut connection = self.connection().await?;
        let Some(row) = store::find_flow(&mut connection, F::KIND, id).await? else {
            return Ok(None);
        };
        let pending = store::pending(&mut connection, id).await?;
        Ok(Some(FlowView {
            id,
            step: row.step.cast_unsigned(),
            state: read_state::<F>(id, row.version, row.state)?,
            label: row.label,
            is_final: row.is_final,
            waiting_for: row.waiting_for,
            wake_at: row.wake_at,
            parked_reason: row.parked_reason,
            created_at: row.created_at,
            updated_at: row.updated_at,
            pending,
        }))
    }

    /// Every step of a flow, oldest first; empty if there is no such flow.
    pub async fn history(&self, id: FlowId) -> Result<Vec<HistoryEntry<F>>, Error> {
        let mut connection = self.connection().await?;
        let rows = store::history(&mut connection, id).await?;
        rows.into_iter()
            .map(|row| {
                Ok(HistoryEntry {
                    step: row.step.cast_unsigned(),
                    at: row.at,
                    actor: row.actor,
                    input: row.input.map(|input| read(id, "input", input)).transpose()?,
                    label: row.label,
                    state: read_state::<F>(id, row.version, row.state)?,
                    waiting_for: row.waiting_for,
                    wake_at: row.wake_at,
                    effects: row.effects,
                })
            })
            .collect()
    }

    /// Flows that need a person, the longest parked first.
    pub async fn parked(&self, limit: usize) -> Result<Vec<ParkedFlow>, Error> {
        let rows = store::parked(self.shared.db.pool(), F::KIND, limit).await?;
        let flow = |(id, label, reason, since)| ParkedFlow {
            id: FlowId::from_uuid(id),
            label,
            reason,
            since,
        };
        Ok(rows.into_iter().map(flow).collect())
    }

    /// Takes up a parked flow: outcomes that were refused are offered to it again (all or none), effects that could not be
    /// read are performed, its timer counts again.
    pub async fn unpark(&self, id: FlowId, actor: &Actor) -> Result<(), Error> {
        let mut tx = self.shared.db.begin().await?;
        let row = store::lock_flow(&mut tx, F::KIND, id).await?;
        if row
            .ok_or(Error::NotFound { kind: F::KIND, id })?
            .parked_reason
            .is_none()
        {
            return Ok(());
        }
        store::clear_parked(&mut tx, id).await?;
        for (effect, _, outcome) in store::parked_effects(&mut tx, id).await? {
            store::settle_parked(&mut tx, effect, outcome.is_none()).await?;
            if let Some(outcome) = outcome {
                let input = read(id, "outcome", outcome)?;
                self.send_in_tx(&mut tx, id, input, actor).await?;
            }
        }
        commit(tx).await?;
        self.nudge();
        Ok(())
    }

    /// Makes effects that wait for their next attempt due now: of one flow, or of all. Answers how many.
    pub async fn rearm(&self, id: Option<FlowId>) -> Result<u64, Error> {
        let count = store::rearm(self.shared.db.pool(), F::KIND, id).await?;
        if count > 0 {
            self.nudge();
        }
        Ok(count)
    }

    /// Tells the worker of this process that there is work. Needed by nobody for correctness.
    pub fn nudge(&self) {
        self.shared.news.notify_one();
    }

    /// Performs effects and wakes flows until `shutdown`; then lets effects under way end within the grace. Several
    /// processes may run at once. A database that is away is waited for.
    pub async fn run(&self, performer: Arc<dyn Performer<F>>, shutdown: CancellationToken) {
        points::announce_states::<F>();
        crate::worker::run(self.clone(), performer, shutdown).await;
    }

    async fn connection(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, Error> {
        Ok(self.shared.db.pool().acquire().await.map_err(DbError::Connect)?)
    }
}

/// A step that was decided and is being written.
struct Decided<'a, F: Flow> {
    id: FlowId,
    step: u32,
    at: Timestamp,
    actor: &'a Actor,
    input: &'a F::Input,
    before: Option<&'a F::State>,
}

impl<F: Flow> Decided<'_, F> {
    fn row<'s>(&'s self, step: &'s Step<F>) -> Result<StepRow<'s>, Error> {
        Ok(StepRow {
            kind: F::KIND,
            step: self.step.cast_signed(),
            at: self.at,
            actor: self.actor.as_str(),
            input: Some(write(self.id, "input", self.input)?),
            label: F::label(&step.state),
            version: F::VERSION,
            state: write(self.id, "state", &step.state)?,
            is_final: F::is_final(&step.state),
            waiting_for: step.waiting_for.as_deref(),
            wake_at: step.wake_at,
            effects: Vec::with_capacity(step.effects.len()),
        })
    }
}

pub(crate) async fn commit(tx: ferrex_postgres::Tx) -> Result<(), Error> {
    Ok(tx.commit().await.map_err(DbError::Commit)?)
}
