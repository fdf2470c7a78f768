use std::sync::Arc;

use async_trait::async_trait;
use ferrex_fault::{Fault, Kind};
use ferrex_flows::{Actor, Change, EffectContext, Flow, Performed, Performer, Projection, Runner, Step};
use ferrex_postgres::SqlResult as _;
use ferrex_runtime::CancellationToken;
use ferrex_testkit::eventually;
use ferrex_time::{Clock, Duration, ManualClock, Timestamp, from_micros};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::errand::{WAIT, database, new_id, options};

/// Rings a number of times, a minute apart; at three it refuses.
struct Alarm;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ring {
    Set(u32),
    Rung,
}

impl Flow for Alarm {
    const KIND: &'static str = "alarm";
    const LABELS: &'static [&'static str] = &["set", "silent"];
    type State = u32;
    type Input = Ring;
    type Action = ();

    fn step(&self, state: &u32, input: &Ring, at: Timestamp) -> Result<Step<Self>, Fault> {
        let left = match input {
            Ring::Set(times) => *times,
            Ring::Rung if *state == 3 => {
                return Err(Fault::new(Kind::Invalid, "flowtest.three", "three is too loud"));
            }
            Ring::Rung => state - 1,
        };
        let step = Step::to(left);
        Ok(if left > 0 {
            step.wake_at(at + Duration::minutes(1))
        } else {
            step
        })
    }

    fn label(state: &u32) -> &'static str {
        if *state > 0 { "set" } else { "silent" }
    }

    fn is_final(state: &u32) -> bool {
        *state == 0
    }

    fn on_wake(_: &u32) -> Option<Ring> {
        Some(Ring::Rung)
    }
}

struct Nobody;
#[async_trait]
impl Performer<Alarm> for Nobody {
    async fn perform(&self, _: EffectContext, (): ()) -> Performed<Ring> {
        Performed::Nothing
    }
}

/// Mirrors the state in the table `world`.
struct Mirror;
#[async_trait]
impl Projection<Alarm> for Mirror {
    async fn project(&self, tx: &mut PgConnection, change: Change<'_, Alarm>) -> Result<(), Fault> {
        if *change.state == 99 {
            return Err(Fault::new(Kind::Conflict, "flowtest.mirror", "the mirror broke"));
        }
        sqlx::query(
            "INSERT INTO world (effect, flow, action) VALUES ($1, $1, $2)
             ON CONFLICT (effect) DO UPDATE SET action = excluded.action, times = $3",
        )
        .bind(change.id.uuid())
        .bind(change.state.to_string())
        .bind(change.step.cast_signed())
        .execute(tx)
        .await
        .doing("mirroring the alarm")?;
        Ok(())
    }
}

#[tokio::test]
async fn timers_ring_by_the_clock_and_a_refusal_parks() {
    let (_test, db) = database().await;
    let clock = Arc::new(ManualClock::new(from_micros(1_700_000_000_000_000)));
    let runner = Runner::with_projection(
        Alarm,
        db.clone(),
        Arc::clone(&clock) as Arc<dyn Clock>,
        options(),
        Arc::new(Mirror),
    );
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (runner, stop) = (runner.clone(), stop.clone());
        async move { runner.run(Arc::new(Nobody), stop).await }
    });
    let (two, three) = (new_id(), new_id());
    runner
        .start_now(two, 0, Ring::Set(2), &Actor::SYSTEM)
        .await
        .unwrap();
    runner
        .start_now(three, 0, Ring::Set(3), &Actor::SYSTEM)
        .await
        .unwrap();
    for left in [1u32, 0] {
        clock.advance(Duration::minutes(1));
        runner.nudge();
        eventually(WAIT, || async {
            runner.get(two).await.unwrap().unwrap().state == left
        })
        .await;
    }
    let history = runner.history(two).await.unwrap();
    assert_eq!(history.len(), 4);
    assert_eq!(
        (history[2].actor.as_str(), history[3].at - history[2].at),
        ("timer", Duration::minutes(1))
    );
    let parked = eventually(WAIT, || async { runner.parked(10).await.unwrap().pop() }).await;
    assert_eq!(parked.id, three);
    let mirrored: (String, i32) = sqlx::query_as("SELECT action, times FROM world WHERE flow = $1")
        .bind(two.uuid())
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(mirrored, ("0".to_owned(), 3));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_step_whose_projection_fails_is_not_taken() {
    let (_test, db) = database().await;
    let clock = Arc::new(ManualClock::new(from_micros(1_700_000_000_000_000)));
    let runner = Runner::with_projection(Alarm, db, clock, options(), Arc::new(Mirror));
    let id = new_id();
    let error = runner
        .start_now(id, 0, Ring::Set(99), &Actor::SYSTEM)
        .await
        .unwrap_err();
    assert_eq!(Fault::from(error).code, "flowtest.mirror");
    assert!(runner.get(id).await.unwrap().is_none());
}
