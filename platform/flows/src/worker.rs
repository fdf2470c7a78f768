//! The loop that performs effects and wakes flows.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use ferrex_fault::Fault;
use ferrex_ids::{EffectId, FlowId};
use ferrex_runtime::{Backoff, CancellationToken};
use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::points::kill_point;
use crate::runner::commit;
use crate::store::{self, Claimed};
use crate::stored::{read, read_state, write};
use crate::{Actor, EffectContext, Error, Flow, Home, Performed, Performer, Runner};

/// After news the worker looks again after these pauses, since a step that was written in a caller's transaction is only
/// visible after that has committed.
const LOOKS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(3),
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(120),
    Duration::from_millis(300),
];

/// Most timers taken in one look.
const TIMERS: usize = 64;

pub(crate) async fn run<F: Flow>(
    runner: Runner<F>,
    performer: Arc<dyn Performer<F>>,
    shutdown: CancellationToken,
) {
    let shared = &runner.shared;
    let worker = format!("{}-{:08x}", std::process::id(), rand::random::<u32>());
    let mut underway = JoinSet::new();
    let mut backoff = Backoff::default();
    let mut looks = LOOKS.iter();
    while !shutdown.is_cancelled() {
        while underway.try_join_next().is_some() {}
        let free = shared.options.concurrency.saturating_sub(underway.len());
        let pause = match look(&runner, &worker, free).await {
            Ok((claimed, woken)) => {
                if backoff.failures() > 0 {
                    backoff.reset();
                    tracing::info!(kind = F::KIND, "flows go on, the database answers again");
                }
                if shutdown.is_cancelled() {
                    give_back(&runner, &claimed).await;
                    break;
                }
                let found = !claimed.is_empty() || woken > 0;
                for effect in claimed {
                    let (runner, performer) = (runner.clone(), Arc::clone(&performer));
                    let span = tracing::info_span!(
                        "effect",
                        kind = F::KIND,
                        flow = %FlowId::from_uuid(effect.flow_id),
                        effect = %EffectId::from_uuid(effect.id),
                        name = effect.name,
                        attempt = effect.fence,
                    );
                    let stop = shutdown.clone();
                    underway.spawn(
                        async move { perform(&runner, &*performer, effect, stop).await }.instrument(span),
                    );
                }
                if found && underway.len() < shared.options.concurrency {
                    Duration::ZERO
                } else {
                    looks.next().copied().unwrap_or(shared.options.poll)
                }
            }
            Err(error) => {
                let pause = backoff.next_pause();
                if backoff.failures() == 1 {
                    let error = Fault::from(error).chain();
                    tracing::error!(kind = F::KIND, error, "flows rest until the database answers");
                }
                pause
            }
        };
        // With every place taken only an end makes room.
        let full = underway.len() >= shared.options.concurrency;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = shared.news.notified(), if !full => looks = LOOKS.iter(),
            Some(_) = underway.join_next() => {}
            () = tokio::time::sleep(pause), if !full => {}
        }
    }
    let deadline = Instant::now() + shared.options.grace;
    while let Ok(Some(_)) = tokio::time::timeout_at(deadline, underway.join_next()).await {}
    if !underway.is_empty() {
        let left = underway.len();
        tracing::warn!(
            kind = F::KIND,
            left,
            "effects did not end in time, another process takes them over"
        );
    }
    underway.shutdown().await;
}

/// Claims effects and wakes flows; how much of each.
async fn look<F: Flow>(
    runner: &Runner<F>,
    worker: &str,
    free: usize,
) -> Result<(Vec<Claimed>, usize), Error> {
    let shared = &runner.shared;
    let woken = wake_due(runner).await?;
    let claimed = if free > 0 {
        store::claim(shared.db.pool(), F::KIND, worker, shared.options.lease, free).await?
    } else {
        Vec::new()
    };
    Ok((claimed, woken))
}

/// Leaves to others what was claimed while the shutdown was asked for. If that fails, they have to wait for the leases to end.
async fn give_back<F: Flow>(runner: &Runner<F>, claimed: &[Claimed]) {
    let pool = runner.shared.db.pool();
    for effect in claimed {
        let (id, fence, touched) = (effect.id, effect.fence, effect.touched_before);
        let reason = "the process that was to do it is shutting down";
        if let Err(error) = store::put_back(pool, id, fence, touched, Duration::ZERO, reason).await {
            let error = Fault::from(error).chain();
            tracing::warn!(error, "an effect waits for its lease to end");
        }
    }
}

async fn wake_due<F: Flow>(runner: &Runner<F>) -> Result<usize, Error> {
    let shared = &runner.shared;
    let now = shared.clock.now();
    let due = store::due_timers(shared.db.pool(), F::KIND, now, TIMERS).await?;
    let mut woken = 0;
    for id in due {
        let mut tx = shared.db.begin().await?;
        if !store::lock_due_timer(&mut tx, F::KIND, id, now).await? {
            continue;
        }
        match wake(runner, &mut tx, FlowId::from_uuid(id)).await {
            Ok(state) => {
                commit(tx).await?;
                if let Some(state) = state {
                    runner.persisted(&state);
                }
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                drop(tx);
                park(runner, id, None, error).await?;
            }
        }
        woken += 1;
    }
    Ok(woken)
}

/// The state after the timer rang; `None` if the flow lets it pass.
async fn wake<F: Flow>(
    runner: &Runner<F>,
    tx: &mut sqlx::PgConnection,
    id: FlowId,
) -> Result<Option<F::State>, Error> {
    let row = store::lock_flow(tx, F::KIND, id)
        .await?
        .ok_or(Error::NotFound { kind: F::KIND, id })?;
    let state = read_state::<F>(id, row.version, row.state.clone())?;
    match F::on_wake(&state) {
        Some(input) => runner.take(tx, row, &input, &Actor::TIMER).await.map(Some),
        None => Ok(store::clear_wake(tx, id).await.map(|()| None)?),
    }
}

/// Performs one claimed effect and brings its outcome home.
async fn perform<F: Flow>(
    runner: &Runner<F>,
    performer: &dyn Performer<F>,
    effect: Claimed,
    shutdown: CancellationToken,
) {
    let flow = FlowId::from_uuid(effect.flow_id);
    let performed = match read::<F::Action>(flow, "action", effect.action.clone()) {
        Ok(action) => {
            let context = EffectContext {
                flow,
                effect: EffectId::from_uuid(effect.id),
                step: effect.step.cast_unsigned(),
                attempt: effect.fence.cast_unsigned(),
                at: effect.created_at,
                label: effect.label.clone(),
            };
            kill_point::<F>("flow.before_effect", &effect.label);
            let work = AssertUnwindSafe(performer.perform(context, action)).catch_unwind();
            let Some(performed) = with_heartbeat(runner, &effect, work).await else {
                tracing::warn!("the lease ran out and another worker took over, this attempt is dropped");
                return;
            };
            kill_point::<F>("flow.after_effect", &effect.label);
            performed.unwrap_or_else(|_| {
                tracing::error!("performing an effect panicked");
                Performed::Retry {
                    reason: "an unexpected failure inside the program".to_owned(),
                    after: None,
                }
            })
        }
        Err(error) => {
            let parked = park(runner, effect.flow_id, Some((&effect, None)), error).await;
            if let Err(error) = parked {
                tracing::error!(error = Fault::from(error).chain(), "a flow could not be parked");
            }
            return;
        }
    };
    kill_point::<F>("flow.before_outcome", &effect.label);
    let mut backoff = Backoff::default();
    loop {
        match bring_home(runner, &effect, &performed).await {
            Ok(result) => {
                let labels = [("kind", F::KIND), ("result", result)];
                metrics::counter!("ferrex_flow_effects_total", &labels).increment(1);
                break;
            }
            Err(error) if !error.is_transient() => {
                // Nothing is lost: the lease runs out and the effect is performed again under its id.
                tracing::error!(
                    error = Fault::from(error).chain(),
                    "an outcome could not be written"
                );
                return;
            }
            Err(error) => {
                let pause = backoff.next_pause();
                if backoff.failures() == 1 {
                    tracing::warn!(
                        error = Fault::from(error).chain(),
                        "an outcome waits for the database"
                    );
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
    kill_point::<F>("flow.after_outcome", &effect.label);
    runner.nudge();
}

/// Runs `work` and extends the lease meanwhile; `None` once the lease is lost.
async fn with_heartbeat<F: Flow, T>(
    runner: &Runner<F>,
    effect: &Claimed,
    work: impl Future<Output = T>,
) -> Option<T> {
    let shared = &runner.shared;
    let period = (shared.options.lease / 3).max(Duration::from_millis(1));
    let mut beat = tokio::time::interval_at(Instant::now() + period, period);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(work);
    loop {
        let beating = async {
            beat.tick().await;
            store::extend(shared.db.pool(), effect.id, effect.fence, shared.options.lease).await
        };
        tokio::select! {
            done = &mut work => return Some(done),
            held = beating => match held {
                Ok(true) => {}
                Ok(false) => return None,
                // Whether the lease still holds shows when the outcome is brought home.
                Err(error) => tracing::debug!(%error, "a lease could not be extended"),
            },
        }
    }
}

/// Writes what became of an attempt. Errors are transient; the answer is a word for the metrics.
async fn bring_home<F: Flow>(
    runner: &Runner<F>,
    effect: &Claimed,
    performed: &Performed<F::Input>,
) -> Result<&'static str, Error> {
    let shared = &runner.shared;
    let (input, status) = match performed.home(effect.touched_before) {
        Home::Ends { input, status } => (input, status),
        Home::Again {
            reason,
            after,
            touched,
        } => return put_back(runner, effect, reason, after, touched).await,
    };
    let mut tx = shared.db.begin().await?;
    // Lock order: the flow before its effect.
    let id = FlowId::from_uuid(effect.flow_id);
    let row = store::lock_flow(&mut tx, F::KIND, id).await?;
    if !store::finish(&mut tx, effect.id, effect.fence, status, None, None).await? {
        tracing::warn!(
            "an outcome came after the lease had run out and is dropped, another worker brings its own"
        );
        return Ok("fenced");
    }
    let result = match (row, input) {
        (Some(row), Some(input)) => runner
            .take(&mut tx, row, input, &Actor::effect(&effect.name))
            .await
            .map(Some),
        (Some(_), None) => Ok(None),
        (None, _) => Err(Error::NotFound { kind: F::KIND, id }),
    };
    match result {
        Ok(state) => {
            commit(tx).await?;
            if let Some(state) = state {
                runner.persisted(&state);
            }
            Ok(status)
        }
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            drop(tx);
            park(runner, effect.flow_id, Some((effect, input)), error).await?;
            Ok("parked")
        }
    }
}

async fn put_back<F: Flow>(
    runner: &Runner<F>,
    effect: &Claimed,
    reason: &str,
    after: Option<Duration>,
    touched: bool,
) -> Result<&'static str, Error> {
    let shared = &runner.shared;
    let pause = after.unwrap_or_else(|| {
        let backoff = Backoff::new(shared.options.retry_first, shared.options.retry_cap);
        let ceiling = backoff.ceiling(effect.fence.cast_unsigned());
        // Half of it at random, so that many that failed together do not come back together.
        ceiling / 2 + (ceiling / 2).mul_f64(rand::random::<f64>())
    });
    let reason = legible(reason);
    let held = store::put_back(shared.db.pool(), effect.id, effect.fence, touched, pause, &reason).await?;
    tracing::info!(
        reason,
        pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        "an effect is tried again"
    );
    Ok(if held { "retry" } else { "fenced" })
}

/// A reason as it may stand in a table: no zero bytes, which PostgreSQL refuses, and not without end.
fn legible(reason: &str) -> String {
    const CHARACTERS_MAX: usize = 1_000;
    reason
        .chars()
        .take(CHARACTERS_MAX)
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .collect()
}

/// Sets a flow aside for a person, with the effect and the outcome it did not take.
async fn park<F: Flow>(
    runner: &Runner<F>,
    flow: Uuid,
    effect: Option<(&Claimed, Option<&F::Input>)>,
    error: Error,
) -> Result<(), Error> {
    let id = FlowId::from_uuid(flow);
    let reason = legible(&Fault::from(error).chain());
    let mut tx = runner.shared.db.begin().await?;
    let _ = store::lock_flow(&mut tx, F::KIND, id).await?;
    if let Some((effect, input)) = effect {
        let outcome = input.and_then(|input| write(id, "outcome", input).ok());
        let held = store::finish(
            &mut tx,
            effect.id,
            effect.fence,
            "parked",
            outcome.as_ref(),
            Some(&reason),
        )
        .await?;
        if !held {
            return Ok(());
        }
    }
    store::park(&mut tx, flow, &reason).await?;
    commit(tx).await?;
    metrics::counter!("ferrex_flow_parked_total", "kind" => F::KIND).increment(1);
    tracing::error!(kind = F::KIND, flow = %id, reason, "a flow is parked and needs a person");
    Ok(())
}
