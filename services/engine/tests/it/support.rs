//! A running engine on a database of its own, and commands for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferrex_bus::Bus;
use ferrex_engine::{Config, Dependencies, SCHEMA, build};
use ferrex_engine_client::EngineClient;
use ferrex_engine_core::{Action, Command, Outcome, Reason, Rest, Step};
use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::{Account, AccountKey, Owner, Purpose};
use ferrex_money::{Amount, AssetId};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_testkit::{Postgres, TestDb, eventually};
use ferrex_time::{Clock as _, SystemClock};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const COIN: AssetId = AssetId(7);
pub const SOON: Duration = Duration::from_secs(20);

fn password() -> SecretString {
    "engine-test".into()
}

/// A database of the shared cluster with the engine's schema.
pub async fn database() -> TestDb {
    Postgres::shared()
        .await
        .database_from("engine", |db| async move { prepare(&db).await })
        .await
}

/// Creates the engine's schema in a database.
pub async fn prepare(db: &TestDb) {
    provision(&db.admin_url, &SCHEMA, &password())
        .await
        .expect("the schema is created");
}

/// How the engine's role logs in.
pub fn login(db: &TestDb) -> DbConfig {
    DbConfig::new(&db.url, SCHEMA.role, password(), SCHEMA.schema)
}

/// An engine in this process.
pub struct Running {
    pub client: EngineClient,
    pub address: Option<String>,
    pub readiness: Readiness,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), ferrex_engine::Error>>,
}

pub async fn start(db: &TestDb) -> Running {
    start_with(db, Config::default(), None).await
}

pub async fn start_with(db: &TestDb, config: Config, bus: Option<Bus>) -> Running {
    start_on(&db.url, config, bus).await
}

/// As [`start_with`], for a process that knows a database by its address alone.
pub async fn start_on(url: &str, config: Config, bus: Option<Bus>) -> Running {
    let readiness = Readiness::new();
    let login = DbConfig::new(url, SCHEMA.role, password(), SCHEMA.schema);
    let db = Db::connect(&login).await.unwrap();
    let dependencies = Dependencies {
        db,
        bus,
        clock: SystemClock::shared(),
        readiness: readiness.clone(),
    };
    let service = build(config, dependencies).await.unwrap();
    let (client, address) = (
        service.client(),
        service.listens_on().map(|at| format!("http://{at}")),
    );
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(service.run(shutdown.clone()));
    Running {
        client,
        address,
        readiness,
        shutdown,
        task,
    }
}

impl Running {
    /// Stops in good order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it as a crash would: nothing is handed over.
    pub async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Asserts that the books are whole.
pub async fn assert_audit_is_clean(db: &TestDb) {
    let report = ferrex_engine::audit::run(&db.admin_url).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Stops the engine and asserts that the books are whole.
pub async fn finish(running: Running, db: &TestDb) {
    running.stop().await;
    assert_audit_is_clean(db).await;
}

/// Sends a command until its outcome is known.
pub async fn submit(client: &EngineClient, command: &Command) -> Outcome {
    eventually(SOON, || client.submit(command.clone())).await
}

/// An id of now; the counter keeps those of one millisecond apart and in order.
pub fn new_id() -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let base = ferrex_ids::uuid_at(SystemClock.unix_ms()).as_u128();
    Uuid::from_u128(base & !0xffff_ffff | u128::from(COUNT.fetch_add(1, Ordering::Relaxed)))
}

pub fn command(reason: Reason, steps: Vec<Step>) -> Command {
    let id = new_id();
    let action = Action::Transfer(steps);
    Command {
        id: CommandId::from_uuid(id),
        at: SystemClock.now(),
        reason,
        reference: id,
        action,
    }
}

pub fn deposit(user: Uuid, amount: u128) -> Command {
    let debit = Account::house(Purpose::DepositAddresses);
    let step = Step::Move {
        debit,
        credit: Account::wallet(user),
        asset: COIN,
        amount: Amount::new(amount),
    };
    command(Reason::Deposit, vec![step])
}

pub fn transfer(from: Uuid, to: Uuid, amount: u128) -> Command {
    let (debit, credit) = (Account::wallet(from), Account::wallet(to));
    let step = Step::Move {
        debit,
        credit,
        asset: COIN,
        amount: Amount::new(amount),
    };
    command(Reason::Transfer, vec![step])
}

pub fn reserve(hold: HoldId, user: Uuid, amount: u128) -> Command {
    let debit = Account::wallet(user);
    let step = Step::Reserve {
        hold,
        debit,
        asset: COIN,
        amount: Amount::new(amount),
        expires_at: None,
    };
    command(Reason::WithdrawalHold, vec![step])
}

pub fn post(hold: HoldId, amount: u128) -> Command {
    let credit = Account::house(Purpose::Fees);
    let step = Step::Post {
        hold,
        credit,
        amount: Amount::new(amount),
        rest: Rest::Release,
    };
    command(Reason::WithdrawalSettlement, vec![step])
}

pub fn void(hold: HoldId) -> Command {
    command(Reason::WithdrawalRelease, vec![Step::Void { hold }])
}

/// Total and held part of a person's wallet.
pub async fn wallet(client: &EngineClient, user: Uuid) -> (u128, u128) {
    let balances = eventually(SOON, || client.balances(Owner::User(user))).await;
    let key = AccountKey {
        account: Account::wallet(user),
        asset: COIN,
    };
    let found = balances.iter().find(|balance| balance.key == key);
    found.map_or((0, 0), |balance| (balance.total.units(), balance.held.units()))
}

/// A superuser's pool, for looking and for attacks.
pub async fn look(db: &TestDb) -> sqlx::PgPool {
    sqlx::PgPool::connect(&db.superuser_url).await.unwrap()
}

/// Waits until the projection has reached the journal's end.
pub async fn projection_is_current(pool: &sqlx::PgPool) {
    eventually(SOON, || async {
        sqlx::query_scalar::<_, bool>("SELECT journal_id = last_id FROM engine.projection, engine.head")
            .fetch_one(pool)
            .await
            .unwrap()
    })
    .await;
}
