//! What stands around the payment service: database, bus, the signer's settings, a played `core`, a listener.

use std::sync::{Arc, Mutex};

use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, Router, TransportConfig};
use ferrex_contracts::core::{ResolveUser, ResolvedUser, VerifySecondFactor};
use ferrex_contracts::payment::{
    DepositCredited, DepositReversed, DepositSeen, TransferCompleted, WithdrawalAwaitsApproval,
    WithdrawalCancelled, WithdrawalFailed, WithdrawalRequested, WithdrawalSettled,
};
use ferrex_contracts::{Done, Message};
use ferrex_fault::{Fault, Kind};
use ferrex_ids::UserId;
use ferrex_money::Amount;
use ferrex_postgres::{Db, DbConfig, SchemaSpec};
use ferrex_runtime::CancellationToken;
use ferrex_testkit::{Anvil, Postgres, TestDb};
use ferrex_time::SystemClock;
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinHandle;

/// The code that the played `core` accepts.
pub const CODE: &str = "123456";

const CORE: SchemaSpec = SchemaSpec {
    schema: "core",
    role: "ferrex_core",
    sets: &[&ferrex_bus::MIGRATIONS],
    after_grants: "",
};
const LISTENER: SchemaSpec = SchemaSpec {
    schema: "notifications",
    role: "ferrex_notifications",
    sets: &[&ferrex_bus::MIGRATIONS],
    after_grants: "",
};

pub fn password() -> SecretString {
    SecretString::from("test")
}

pub fn db_config(db: &TestDb, schema: &str) -> DbConfig {
    let mut config = DbConfig::new(&db.url, format!("ferrex_{schema}"), password(), schema);
    config.max_connections = 12;
    config
}

pub async fn bus(db: &TestDb, service: &str) -> Bus {
    let transport = TransportConfig::Embedded(EmbeddedConfig::new(db_config(db, "bus")));
    Bus::connect(&BusConfig::new(service, transport), SystemClock::shared())
        .await
        .unwrap()
}

/// A person of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: UserId,
    pub name: &'static str,
}

pub type Told = Arc<Mutex<Vec<(&'static str, Value)>>>;

/// A database with the schemas of all roles here.
pub async fn database(postgres: &Postgres) -> TestDb {
    postgres
        .database_from("payment_world", |db| async move {
            let bus = ferrex_bus::EMBEDDED;
            for spec in [
                bus,
                ferrex_payment::SCHEMA,
                ferrex_engine::SCHEMA,
                ferrex_signer::SCHEMA,
                CORE,
                LISTENER,
            ] {
                ferrex_postgres::provision(&db.admin_url, &spec, &password())
                    .await
                    .unwrap();
            }
        })
        .await
}

pub fn signer_config(dir: &std::path::Path) -> ferrex_signer::Config {
    let passphrase = dir.join("passphrase");
    std::fs::write(&passphrase, "a passphrase of these tests, long enough").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&passphrase, mode).unwrap();
    let much = Amount::new(10u128.pow(36));
    ferrex_signer::Config {
        keystore: dir.join("keystore.json"),
        passphrase: ferrex_settings::SecretFile::new(passphrase),
        create_if_missing: true,
        chains: vec![ferrex_signer::ChainConfig {
            chain_id: Anvil::CHAIN_ID,
            fee_per_transaction_max: much,
            fees_per_day_max: much,
            assets: vec![ferrex_signer::AssetConfig {
                contract: None,
                per_transaction_max: much,
                per_day_max: much,
            }],
        }],
    }
}

pub async fn play_core(
    db: &TestDb,
    bus: Bus,
    people: Arc<Mutex<Vec<Person>>>,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    let own = Db::connect(&db_config(db, "core")).await.unwrap();
    let router = Router::new("core")
        .on_request::<ResolveUser, _, _>(move |_, request| {
            let people = people.lock().unwrap().clone();
            async move {
                let handle = request.handle.trim_end_matches("@example.org").to_owned();
                let found = people.iter().find(|person| person.name == handle);
                let found =
                    found.ok_or_else(|| Fault::new(Kind::NotFound, "core.user.not_found", "nobody"))?;
                Ok(ResolvedUser {
                    user: found.id,
                    username: found.name.into(),
                    can_receive: true,
                })
            }
        })
        .on_request::<VerifySecondFactor, _, _>(|_, request| async move {
            let wrong = || Fault::new(Kind::Forbidden, "core.second_factor.wrong", "the code is wrong");
            if request.code == CODE {
                Ok(Done {})
            } else {
                Err(wrong())
            }
        });
    tokio::spawn(async move { ferrex_bus::serve(&bus, &own, router, shutdown).await.unwrap() })
}

pub async fn listen(db: &TestDb, told: Told, shutdown: CancellationToken) -> JoinHandle<()> {
    fn hear<M: Message>(router: Router, told: &Told) -> Router {
        let told = told.clone();
        router.on_event::<M, _>(move |_, event, _| {
            let told = told.clone();
            Box::pin(async move {
                told.lock()
                    .unwrap()
                    .push((M::TYPE, serde_json::to_value(&event).unwrap()));
                Ok(())
            })
        })
    }
    let own = Db::connect(&db_config(db, "notifications")).await.unwrap();
    let bus = bus(db, "notifications").await;
    let router = Router::new("notifications");
    let router = hear::<DepositSeen>(router, &told);
    let router = hear::<DepositCredited>(router, &told);
    let router = hear::<DepositReversed>(router, &told);
    let router = hear::<TransferCompleted>(router, &told);
    let router = hear::<WithdrawalRequested>(router, &told);
    let router = hear::<WithdrawalAwaitsApproval>(router, &told);
    let router = hear::<WithdrawalSettled>(router, &told);
    let router = hear::<WithdrawalFailed>(router, &told);
    let router = hear::<WithdrawalCancelled>(router, &told);
    tokio::spawn(async move { ferrex_bus::serve(&bus, &own, router, shutdown).await.unwrap() })
}
