use std::collections::BTreeMap;
use std::time::Duration;

use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, Outgoing, TransportConfig};
use ferrex_contracts::Message;
use ferrex_contracts::core::UserConfirmed;
use ferrex_contracts::notifications::SendMail;
use ferrex_contracts::payment::ShownAmount;
use ferrex_ids::{DeliveryId, Id, Kind, MessageId, UserId};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_notifications::{Config, Dependencies, SCHEMA, Smtp, build};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_testkit::{MailCatcher, Postgres, TestDb, eventually};
use ferrex_time::{Clock, SystemClock};
use secrecy::SecretString;
use sqlx::Row;
use tokio::task::JoinHandle;

pub const WAIT: Duration = Duration::from_secs(30);

pub fn password() -> SecretString {
    "test".to_owned().into()
}

pub fn new_id<K: Kind>() -> Id<K> {
    Id::new_at(SystemClock.unix_ms())
}

/// Quick to try again, so that tests need not wait.
pub fn config(smtp_port: u16) -> Config {
    Config {
        smtp: Smtp {
            port: smtp_port,
            timeout_seconds: 2,
            ..Smtp::default()
        },
        from: "Ferrex <no-reply@example.org>".to_owned(),
        public_url: "https://wallet.example.org".to_owned(),
        retry_first_ms: 50,
        retry_cap_seconds: 1,
        lease_seconds: 1,
        ..Config::default()
    }
}

pub async fn connect_bus(url: &str, service: &str) -> Bus {
    let database = DbConfig::new(
        url,
        ferrex_bus::EMBEDDED.role,
        password(),
        ferrex_bus::EMBEDDED.schema,
    );
    let transport = TransportConfig::Embedded(EmbeddedConfig::new(database));
    Bus::connect(&BusConfig::new(service, transport), SystemClock::shared())
        .await
        .unwrap()
}

pub async fn connect_db(url: &str) -> Db {
    Db::connect(&DbConfig::new(url, SCHEMA.role, password(), SCHEMA.schema))
        .await
        .unwrap()
}

/// The service, stopped when told or dropped.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    pub readiness: Readiness,
}

impl Running {
    pub async fn start(url: &str, config: Config) -> Self {
        let readiness = Readiness::new();
        let dependencies = Dependencies {
            db: connect_db(url).await,
            bus: connect_bus(url, "notifications").await,
            clock: SystemClock::shared(),
            readiness: readiness.clone(),
        };
        let service = build(config, dependencies).await.unwrap();
        let stop = CancellationToken::new();
        let token = stop.clone();
        Self {
            stop,
            task: tokio::spawn(async move { service.run(token).await.unwrap() }),
            readiness,
        }
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A database, the other services' side of the bus, and a mail server.
pub struct World {
    pub test: TestDb,
    pub db: Db,
    pub bus: Bus,
    pub mails: MailCatcher,
}

impl World {
    pub async fn new() -> Self {
        let prepare = |db: TestDb| async move {
            provision(&db.admin_url, &ferrex_bus::EMBEDDED, &password())
                .await
                .unwrap();
            provision(&db.admin_url, &SCHEMA, &password()).await.unwrap();
        };
        let test = Postgres::shared()
            .await
            .database_from("notifications", prepare)
            .await;
        Self {
            db: connect_db(&test.url).await,
            bus: connect_bus(&test.url, "test").await,
            mails: MailCatcher::start().await,
            test,
        }
    }

    pub async fn run(&self) -> Running {
        Running::start(&self.test.url, config(self.mails.port())).await
    }

    /// Publishes an event, as its owner's outbox would; answers its id.
    pub async fn say<M: Message>(&self, message: &M) -> MessageId {
        let id = new_id();
        self.say_as(id, message).await;
        id
    }

    pub async fn say_as<M: Message>(&self, id: MessageId, message: &M) {
        let outgoing = Outgoing::event("test", id, "key", SystemClock.now(), message);
        self.bus.publish(vec![outgoing]).await.unwrap();
    }

    /// A person whom the service knows how to reach.
    pub async fn person(&self, name: &str) -> UserId {
        let user = new_id();
        self.introduce(user, name).await;
        user
    }

    pub async fn introduce(&self, user: UserId, name: &str) {
        let email = format!("{name}@example.org");
        self.say(&UserConfirmed {
            user,
            username: name.to_owned(),
            email,
            version: 1,
        })
        .await;
    }

    /// The row of the delivery log with this id, or of the only one there is.
    pub async fn log(&self, id: Option<DeliveryId>) -> Option<Entry> {
        let row = sqlx::query("SELECT state, reason, attempts, next_attempt_at IS NOT NULL AS planned, params::text FROM delivery WHERE $1::uuid IS NULL OR id = $1")
            .bind(id.map(DeliveryId::uuid))
            .fetch_optional(self.db.pool())
            .await
            .unwrap()?;
        Some(Entry {
            state: row.get("state"),
            reason: row.get("reason"),
            attempts: row.get("attempts"),
            planned: row.get("planned"),
            params: row.get("params"),
        })
    }

    pub async fn reaches(&self, id: DeliveryId, state: &str) -> Entry {
        eventually(WAIT, || async {
            let entry = self.log(Some(id)).await;
            match entry {
                Some(entry) if entry.state == state => Ok(entry),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }
}

#[derive(Debug)]
pub struct Entry {
    pub state: String,
    pub reason: Option<String>,
    pub attempts: i32,
    pub planned: bool,
    pub params: Option<String>,
}

pub fn ether(units: u128) -> ShownAmount {
    ShownAmount {
        asset: AssetId(1),
        symbol: "ETH".to_owned(),
        amount: Amount::new(units),
        decimals: Decimals::try_new(18).unwrap(),
    }
}

pub fn code_mail(delivery: DeliveryId, email: &str) -> SendMail {
    let params = [
        ("user_name", "alice"),
        ("code", "481516"),
        ("link", "https://wallet.example.org/confirm#token=4815162342"),
        ("minutes", "30"),
    ];
    let params: BTreeMap<_, _> = params
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    SendMail {
        delivery,
        user: None,
        email: email.to_owned(),
        template: "confirm_email".to_owned(),
        params,
    }
}
