//! The parts of one test, and the people in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrex_bus::{Bus, Outgoing};
use ferrex_contracts::core::{UserConfirmed, UserFreezeChanged, UserLevelChanged};
use ferrex_contracts::payment::{AssetTerms, AssetView, CreateAsset, NetworkView, PutNetwork, UpdateAsset};
use ferrex_contracts::{Message, Request as BusRequest, StaffAction};
use ferrex_fault::Fault;
use ferrex_ids::{MessageId, StaffId, UserId};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_payment::{Config, Payment};
use ferrex_postgres::Db;
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_testkit::{Anvil, Postgres, TestDb, eventually};
use ferrex_time::{SharedClock, SystemClock};
use ferrex_web::{Config as HttpConfig, RateConfig, Surface, TokenSigner, TokenVerifier};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;

use crate::parts::{Told, bus, database, db_config, listen, play_core, signer_config};

pub use crate::parts::Person;

/// Blocks that a transaction needs in these tests.
pub const CONFIRMATIONS: u32 = 3;
/// How long anything here may take.
pub const SOON: Duration = Duration::from_secs(30);
/// A payment service that runs, and can be killed.
pub struct Instance {
    pub payment: Payment,
    pub router: axum::Router,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Instance {
    /// Ends it as a crash would: nothing is waited for or given up in order.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        self.stop.cancel();
    }
}

/// Everything one test needs.
pub struct World {
    pub anvil: Arc<Anvil>,
    pub db: TestDb,
    pub clock: SharedClock,
    pub config: Config,
    pub instance: Option<Instance>,
    pub staff: Bus,
    core: Bus,
    pub(crate) engine: ferrex_engine_client::EngineClient,
    pub(crate) tokens: TokenSigner,
    people: Arc<Mutex<Vec<Person>>>,
    pub(crate) told: Told,
    versions: AtomicU64,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// Where the signer's keystore lies.
    pub(crate) keys: tempfile::TempDir,
}

impl World {
    /// Everything running, one network with its coin `ETH` and a funded hot wallet.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// As [`World::start`], with other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::bare(change).await.with_coin().await
    }

    /// As [`World::start`], on a server that the test may stop.
    pub async fn on(postgres: &Postgres) -> Self {
        Self::bare_on(postgres, |_| {}).await.with_coin().await
    }

    async fn with_coin(self) -> Self {
        self.put_network(&[self.anvil.url()]).await;
        self.create_coin().await;
        self
    }

    /// Everything running, without a network.
    pub async fn bare(change: impl FnOnce(&mut Config)) -> Self {
        Self::bare_on(Postgres::shared().await, change).await
    }

    async fn bare_on(postgres: &Postgres, change: impl FnOnce(&mut Config)) -> Self {
        let (anvil, db) = tokio::join!(Anvil::start(), database(postgres));
        let anvil = Arc::new(anvil);
        let clock = SystemClock::shared();
        let shutdown = CancellationToken::new();
        let mut tasks = Vec::new();
        let staff = bus(&db, "admin").await;

        let engine_db = Db::connect(&db_config(&db, "engine")).await.unwrap();
        let dependencies = ferrex_engine::Dependencies {
            db: engine_db,
            bus: Some(bus(&db, "engine").await),
            clock: clock.clone(),
            readiness: Readiness::new(),
        };
        let config = ferrex_engine::Config {
            lease_ms: 1_000,
            follow_ms: 50,
            ..ferrex_engine::Config::default()
        };
        let engine_service = ferrex_engine::build(config, dependencies).await.unwrap();
        let engine = engine_service.client();
        let token = shutdown.clone();
        tasks.push(tokio::spawn(
            async move { engine_service.run(token).await.unwrap() },
        ));

        let keys = tempfile::tempdir().unwrap();
        let signer = ferrex_signer::build(
            signer_config(keys.path()),
            ferrex_signer::Dependencies {
                db: Db::connect(&db_config(&db, "signer")).await.unwrap(),
                bus: bus(&db, "signer").await,
                clock: clock.clone(),
                readiness: Readiness::new(),
            },
        );
        let signer = signer.await.unwrap();
        let token = shutdown.clone();
        tasks.push(tokio::spawn(async move { signer.run(token).await.unwrap() }));

        let people: Arc<Mutex<Vec<Person>>> = Arc::default();
        let core = bus(&db, "core").await;
        tasks.push(play_core(&db, core.clone(), people.clone(), shutdown.clone()).await);
        let told: Told = Arc::default();
        tasks.push(listen(&db, told.clone(), shutdown.clone()).await);

        let mut config = Config {
            poll_ms: 40,
            lease_seconds: 3,
            payment_look_ms: 200,
            payment_replace_ms: 60_000,
            effect_lease_seconds: 2,
            ..Config::default()
        };
        change(&mut config);
        let tokens = TokenSigner::from_pem(&ferrex_web::generate_key_pem(), clock.clone()).unwrap();
        let mut world = Self {
            anvil,
            db,
            clock,
            config,
            instance: None,
            staff,
            core,
            engine,
            tokens,
            people,
            told,
            versions: AtomicU64::new(1),
            shutdown,
            tasks,
            keys,
        };
        world.instance = Some(world.launch().await);
        world
    }

    /// Another payment service over the same parts.
    pub async fn launch(&self) -> Instance {
        let verifier = TokenVerifier::new([self.tokens.public_key()], self.clock.clone());
        let deps = ferrex_payment::Deps {
            db: Db::connect(&db_config(&self.db, "payment")).await.unwrap(),
            bus: bus(&self.db, "payment").await,
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            verifier: verifier.clone(),
            readiness: Readiness::new(),
        };
        let service = ferrex_payment::build(self.config.clone(), deps).await.unwrap();
        let payment = service.payment().clone();
        let surface = Surface {
            name: "public",
            title: "test",
            description: "",
        };
        let open = RateConfig {
            per_second: 10_000,
            burst: 10_000,
        };
        let limits = HttpConfig {
            per_address: open,
            per_user: open,
            ..HttpConfig::default()
        };
        let router =
            ferrex_web::public_router(&surface, &limits, Some(verifier), vec![service.public()]).unwrap();
        let stop = self.shutdown.child_token();
        let token = stop.clone();
        let task = tokio::spawn(async move { service.run(token).await });
        Instance {
            payment,
            router,
            stop,
            task,
        }
    }

    /// The service that the test talks to.
    pub fn payment(&self) -> &Payment {
        &self.instance.as_ref().unwrap().payment
    }

    /// Asks as staff, over the bus.
    pub async fn ask<R: BusRequest>(&self, request: &R) -> Result<R::Reply, Fault> {
        self.staff
            .request("staff", request, Duration::from_secs(20))
            .await
            .map_err(Fault::from)
    }

    pub async fn put_network(&self, urls: &[&str]) -> NetworkView {
        self.ask(&network(urls, CONFIRMATIONS)).await.unwrap()
    }

    pub async fn create_coin(&self) -> AssetView {
        self.ask(&asset("ETH", None, 18)).await.unwrap()
    }

    /// Creates a token on the chain, owned by the first account, and registers it.
    pub async fn create_token(&self, symbol: &str, decimals: u8) -> String {
        let owner = Anvil::ACCOUNTS[0].address;
        let supply = alloy(10u128.pow(30));
        let contract = self.anvil.deploy_token(owner, symbol, decimals, supply).await;
        self.ask(&asset(symbol, Some(&contract), decimals)).await.unwrap();
        contract
    }

    /// A person with a verified identity.
    pub async fn person(&self, name: &'static str) -> Person {
        let person = Person {
            id: UserId::new_at(self.clock.unix_ms()),
            name,
        };
        self.people.lock().unwrap().push(person);
        let (user, version) = (person.id, 1);
        let email = format!("{name}@example.org");
        self.say(
            user,
            &UserConfirmed {
                user,
                username: name.into(),
                email,
                version,
            },
        )
        .await;
        self.set_level(person, 1).await;
        self.until_customer("username = $2 AND level = 1", person, name)
            .await;
        person
    }

    pub(crate) fn version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub async fn set_level(&self, person: Person, level: u8) {
        let version = self.version();
        self.say(
            person.id,
            &UserLevelChanged {
                user: person.id,
                level,
                rejected_because: None,
                version,
            },
        )
        .await;
    }

    pub async fn freeze(&self, person: Person, frozen: bool) {
        let version = self.version();
        let event = UserFreezeChanged {
            user: person.id,
            frozen,
            reason: "test".into(),
            version,
        };
        self.say(person.id, &event).await;
        let frozen = frozen.to_string();
        self.until_customer("frozen::text = $2", person, &frozen).await;
    }

    async fn say<M: Message>(&self, key: UserId, event: &M) {
        let id = MessageId::new_at(self.clock.unix_ms());
        self.core
            .publish(vec![Outgoing::event("core", id, key, self.clock.now(), event)])
            .await
            .unwrap();
    }

    async fn until_customer(&self, condition: &str, person: Person, value: &str) {
        let sql = format!("SELECT EXISTS (SELECT FROM payment.customer WHERE user_id = $1 AND {condition})");
        eventually(SOON, async || {
            let mut connection = self.superuser().await;
            let query = sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(sql.clone()));
            query
                .bind(person.id.uuid())
                .bind(value)
                .fetch_one(&mut connection)
                .await
                .unwrap()
        })
        .await;
    }

    /// A superuser's connection, for looking and for attacks.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.db.superuser_url).await.unwrap()
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &str) -> i64 {
        let mut connection = self.superuser().await;
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }

    /// Locks rows from outside, until [`let_go`].
    pub async fn hold(&self, sql: &'static str) -> PgConnection {
        let mut connection = self.superuser().await;
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection
    }

    /// Ends the test: nothing is left undone or parked, and the books are clean.
    pub async fn finish(mut self) {
        eventually(SOON, async || {
            self.count("SELECT count(*) FROM payment.flow_effect WHERE status = 'pending' AND due_at < now()")
                .await
                == 0
        })
        .await;
        eventually(SOON, async || {
            let behind =
                "SELECT (SELECT last_id FROM engine.head) - (SELECT journal_id FROM engine.projection)";
            self.count(behind).await == 0
        })
        .await;
        for (what, sql) in [
            ("parked messages", "SELECT count(*) FROM payment.parked"),
            (
                "parked flows",
                "SELECT count(*) FROM payment.flow WHERE parked_reason IS NOT NULL",
            ),
        ] {
            assert_eq!(self.count(sql).await, 0, "{what}");
        }
        let mut connection = self.superuser().await;
        let report = ferrex_engine::audit::audit(&mut connection).await.unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        self.shutdown.cancel();
        if let Some(instance) = self.instance.take() {
            instance.task.await.unwrap();
        }
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub fn by() -> StaffAction {
    StaffAction {
        staff: StaffId::new_at(1),
        reason: "a test".into(),
    }
}

pub fn network(urls: &[&str], confirmations: u32) -> PutNetwork {
    PutNetwork {
        key: "anvil".into(),
        name: "Anvil".into(),
        chain_id: Anvil::CHAIN_ID,
        rpc_urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        confirmations,
        start_height: None,
        enabled: true,
        by: by(),
    }
}

pub fn terms(decimals: u8) -> AssetTerms {
    // Hundredths and thousandths of a whole unit.
    let part = |of: u32| Amount::new(10u128.pow(u32::from(decimals).saturating_sub(of)));
    AssetTerms {
        deposit_minimum: part(2),
        withdrawal_minimum: part(2),
        withdrawal_fee: part(3),
        approval_threshold: Amount::new(5 * 10u128.pow(decimals.into())),
        deposits_enabled: true,
        withdrawals_enabled: true,
    }
}

pub async fn let_go(mut connection: PgConnection) {
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
}

pub fn asset(symbol: &str, contract: Option<&str>, decimals: u8) -> CreateAsset {
    CreateAsset {
        symbol: symbol.into(),
        name: format!("Test {symbol}"),
        network: "anvil".into(),
        contract: contract.map(str::to_owned),
        decimals: Decimals::try_new(decimals).unwrap(),
        terms: terms(decimals),
        by: by(),
    }
}

pub fn update(asset: AssetId, terms: AssetTerms) -> UpdateAsset {
    UpdateAsset {
        asset,
        terms,
        by: by(),
    }
}

/// A number as the test kit's chain takes it.
pub fn alloy(units: u128) -> ferrex_chains::evm::U256 {
    ferrex_chains::evm::U256::from(units)
}

pub fn wei(ether: u64) -> ferrex_chains::evm::U256 {
    alloy(u128::from(ether) * 10u128.pow(18))
}
