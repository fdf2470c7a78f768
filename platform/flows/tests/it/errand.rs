//! The flow under test: somebody is sent to buy a thing and bring it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ferrex_contracts::Message;
use ferrex_fault::{Fault, Kind};
use ferrex_flows::{Actor, EffectContext, Flow, Options, Performed, Performer, Runner, Step};
use ferrex_ids::FlowId;
use ferrex_postgres::{Db, DbConfig, MigrationSet, SchemaSpec, provision};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::{SystemClock, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub const WAIT: Duration = Duration::from_secs(20);

const WORLD: MigrationSet = MigrationSet {
    name: "world",
    migrations: &[ferrex_postgres::Migration {
        version: 1,
        name: "the other side",
        sql: "CREATE TABLE world (effect uuid PRIMARY KEY, flow uuid NOT NULL, action text NOT NULL, times integer NOT NULL DEFAULT 1)",
    }],
};

pub const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "flowtest",
    role: "ferrex_flowtest",
    sets: &[&ferrex_bus::MIGRATIONS, &ferrex_flows::MIGRATIONS, &WORLD],
    after_grants: "",
};

pub fn password() -> SecretString {
    "flowtest".to_owned().into()
}

pub async fn connect(url: &str) -> Db {
    Db::connect(&DbConfig::new(url, SCHEMA.role, password(), SCHEMA.schema))
        .await
        .unwrap()
}

pub async fn database() -> (TestDb, Db) {
    let prepare = |db: TestDb| async move { provision(&db.admin_url, &SCHEMA, &password()).await.unwrap() };
    let test = Postgres::shared().await.database_from("flows", prepare).await;
    let db = connect(&test.url).await;
    (test, db)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    New,
    Requested { item: String },
    Unsure { item: String },
    Bought { item: String, receipt: String },
    Cancelled,
    Delivered,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    Order { item: String },
    Paid { receipt: String },
    PaymentUnknown,
    Looked { receipt: Option<String> },
    Brought,
    Cancel,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    Buy { item: String },
    Look { item: String },
    Bring { receipt: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Ordered {
    pub item: String,
}
impl Message for Ordered {
    const TYPE: &'static str = "flowtest.errand.ordered";
    const TOPIC: &'static str = "flowtest.errand.v1";
}

/// Refuses receipts while `strict`, as a defect would that is repaired later.
#[derive(Clone, Default)]
pub struct Errand {
    pub strict: Arc<AtomicBool>,
}

impl Flow for Errand {
    const KIND: &'static str = "errand";
    const LABELS: &'static [&'static str] =
        &["new", "requested", "unsure", "bought", "cancelled", "delivered"];
    type State = State;
    type Input = Input;
    type Action = Action;

    fn step(&self, state: &State, input: &Input, _at: Timestamp) -> Result<Step<Self>, Fault> {
        Ok(match (state, input) {
            (State::New, Input::Order { item }) => Step::to(State::Requested { item: item.clone() })
                .publish("errand", &Ordered { item: item.clone() })
                .act(Action::Buy { item: item.clone() })
                .waiting_for("the shop"),
            (State::Requested { .. }, Input::Paid { .. }) if self.strict.load(Ordering::SeqCst) => {
                return Err(Fault::new(
                    Kind::Invalid,
                    "flowtest.receipt",
                    "this receipt is not understood",
                ));
            }
            (State::Requested { item }, Input::Paid { receipt })
            | (
                State::Unsure { item },
                Input::Looked {
                    receipt: Some(receipt),
                },
            ) => Step::to(State::Bought {
                item: item.clone(),
                receipt: receipt.clone(),
            })
            .act(Action::Bring {
                receipt: receipt.clone(),
            }),
            (State::Requested { item }, Input::PaymentUnknown) => {
                Step::to(State::Unsure { item: item.clone() }).act(Action::Look { item: item.clone() })
            }
            (State::Unsure { item }, Input::Looked { receipt: None }) => {
                Step::to(State::Requested { item: item.clone() }).act(Action::Buy { item: item.clone() })
            }
            (State::Requested { .. }, Input::Cancel) => Step::to(State::Cancelled).revoke("buy"),
            (State::Bought { .. }, Input::Brought) => Step::to(State::Delivered),
            _ => {
                return Err(Fault::new(
                    Kind::Conflict,
                    "flowtest.state",
                    "it does not fit the present state",
                ));
            }
        })
    }

    fn label(state: &State) -> &'static str {
        match state {
            State::New => "new",
            State::Requested { .. } => "requested",
            State::Unsure { .. } => "unsure",
            State::Bought { .. } => "bought",
            State::Cancelled => "cancelled",
            State::Delivered => "delivered",
        }
    }

    fn is_final(state: &State) -> bool {
        matches!(state, State::Cancelled | State::Delivered)
    }
}

/// The outside: answers by script, then as it should; can be made to wait; counts in the table `world`.
pub struct Shop {
    pub db: Db,
    pub script: Mutex<VecDeque<Performed<Input>>>,
    pub calls: Mutex<Vec<(EffectContext, Action)>>,
    pub gate: Semaphore,
}

impl Shop {
    pub fn open(db: &Db) -> Arc<Self> {
        Self::with_gate(db, Semaphore::MAX_PERMITS)
    }

    /// Nothing gets through until permits are added.
    pub fn closed(db: &Db) -> Arc<Self> {
        Self::with_gate(db, 0)
    }

    fn with_gate(db: &Db, permits: usize) -> Arc<Self> {
        Arc::new(Self {
            db: db.clone(),
            script: Mutex::default(),
            calls: Mutex::default(),
            gate: Semaphore::new(permits),
        })
    }

    pub fn scripted(db: &Db, answers: impl IntoIterator<Item = Performed<Input>>) -> Arc<Self> {
        let shop = Self::open(db);
        shop.script.lock().unwrap().extend(answers);
        shop
    }

    pub fn calls(&self) -> Vec<(EffectContext, Action)> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Performer<Errand> for Shop {
    async fn perform(&self, context: EffectContext, action: Action) -> Performed<Input> {
        self.calls.lock().unwrap().push((context.clone(), action.clone()));
        self.gate.acquire().await.unwrap().forget();
        let scripted = self.script.lock().unwrap().pop_front();
        if let Some(answer) = scripted {
            return answer;
        }
        sqlx::query(
            "INSERT INTO world (effect, flow, action) VALUES ($1, $2, $3)
             ON CONFLICT (effect) DO UPDATE SET times = world.times + 1",
        )
        .bind(context.effect.uuid())
        .bind(context.flow.uuid())
        .bind(format!("{action:?}"))
        .execute(self.db.pool())
        .await
        .unwrap();
        Performed::Done(match action {
            Action::Buy { .. } => Input::Paid {
                receipt: context.effect.to_string(),
            },
            Action::Look { .. } => Input::Looked {
                receipt: Some("found".to_owned()),
            },
            Action::Bring { .. } => Input::Brought,
        })
    }
}

pub fn options() -> Options {
    Options {
        poll: Duration::from_millis(50),
        retry_first: Duration::from_millis(5),
        retry_cap: Duration::from_millis(20),
        ..Options::new("flowtest")
    }
}

pub fn runner(db: &Db) -> Runner<Errand> {
    Runner::new(Errand::default(), db.clone(), SystemClock::shared(), options())
}

pub fn new_id() -> FlowId {
    use ferrex_time::Clock as _;
    FlowId::new_at(SystemClock.unix_ms())
}

pub async fn order(runner: &Runner<Errand>) -> FlowId {
    let id = new_id();
    let input = Input::Order {
        item: "bread".to_owned(),
    };
    runner
        .start_now(id, State::New, input, &Actor::SYSTEM)
        .await
        .unwrap();
    id
}

/// A worker that is stopped in good order when told, and at once when dropped.
pub struct Worker {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Worker {
    pub fn start(runner: &Runner<Errand>, shop: &Arc<Shop>) -> Self {
        let stop = CancellationToken::new();
        let (runner, shop, token) = (runner.clone(), Arc::clone(shop), stop.clone());
        Self {
            stop,
            task: tokio::spawn(async move { runner.run(shop, token).await }),
        }
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub async fn label(runner: &Runner<Errand>, id: FlowId) -> String {
    runner.get(id).await.unwrap().unwrap().label
}

pub async fn reaches(runner: &Runner<Errand>, id: FlowId, wanted: &str) {
    ferrex_testkit::eventually(WAIT, || async {
        let now = label(runner, id).await;
        if now == wanted { Ok(()) } else { Err(now) }
    })
    .await;
}

/// What the outside has seen of a flow: one row an effect, with how often it came.
pub async fn world(db: &Db, id: FlowId) -> Vec<(String, i32)> {
    sqlx::query_as("SELECT action, times FROM world WHERE flow = $1 ORDER BY effect")
        .bind(id.uuid())
        .fetch_all(db.pool())
        .await
        .unwrap()
}
