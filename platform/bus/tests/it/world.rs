//! What a case needs: a service's database, a transport, replicas that come and go.

use std::time::Duration;

use ferrex_bus::{
    Bus, BusConfig, EMBEDDED, EmbeddedConfig, KafkaConfig, MIGRATIONS, Outgoing, Router, TransportConfig,
    outbox,
};
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, DbConfig, Migration, MigrationSet, SchemaSpec, Tx, provision};
use ferrex_testkit::{Kafka, Postgres, TestDb, eventually};
use ferrex_time::{Clock as _, SystemClock};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The longest any condition may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(40);

const EFFECTS: MigrationSet = MigrationSet {
    name: "test",
    migrations: &[Migration {
        version: 1,
        name: "effects",
        sql: "CREATE TABLE effect (
                  seq bigint GENERATED ALWAYS AS IDENTITY, message_id uuid NOT NULL,
                  key text NOT NULL, number bigint NOT NULL, worker text NOT NULL)",
    }],
};

const SCHEMA: SchemaSpec = SchemaSpec {
    schema: "svc",
    role: "ferrex_svc",
    sets: &[&MIGRATIONS, &EFFECTS],
    after_grants: "",
};

/// The service's name: source of its messages, name of its schema.
pub const SERVICE: &str = "svc";

fn password() -> SecretString {
    SecretString::from("test")
}

/// Defines a message type of a case's own, since broker and topics are shared by the cases. A third word gives it a topic of
/// its own beside others of the case.
macro_rules! message {
    ($name:ident, $case:literal $(, $aggregate:literal)?) => {
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        struct $name {
            number: i64,
        }
        impl ferrex_contracts::Message for $name {
            const TYPE: &'static str = concat!("svc.", $case, ".", stringify!($name));
            const TOPIC: &'static str = concat!("svc.", $case, $(".", $aggregate,)? ".v1");
        }
    };
}
pub(crate) use message;

/// The answer of test requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub number: i64,
}

/// One effect of an event.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Effect {
    pub key: String,
    pub number: i64,
    pub worker: String,
}

pub struct World {
    pub db: Db,
    pub test_db: TestDb,
    pub transport: TransportConfig,
}

pub async fn prepared_database(postgres: &Postgres) -> TestDb {
    postgres
        .database_from("bus", |db| async move {
            provision(&db.admin_url, &EMBEDDED, &password()).await.unwrap();
            provision(&db.admin_url, &SCHEMA, &password()).await.unwrap();
        })
        .await
}

impl World {
    pub async fn embedded() -> Self {
        Self::embedded_on(Postgres::shared().await).await
    }

    pub async fn embedded_on(postgres: &Postgres) -> Self {
        let test_db = prepared_database(postgres).await;
        let mut config = EmbeddedConfig::new(DbConfig {
            max_connections: 6,
            ..DbConfig::new(&test_db.url, "ferrex_bus", password(), "bus")
        });
        config.session_timeout = Duration::from_secs(2);
        Self::new(test_db, TransportConfig::Embedded(config)).await
    }

    pub async fn kafka() -> Self {
        Self::kafka_at(Kafka::shared().await.brokers()).await
    }

    pub async fn kafka_at(brokers: String) -> Self {
        let test_db = prepared_database(Postgres::shared().await).await;
        let mut config = KafkaConfig::new(brokers);
        config.session_timeout = Duration::from_secs(6);
        Self::new(test_db, TransportConfig::Kafka(config)).await
    }

    async fn new(test_db: TestDb, transport: TransportConfig) -> Self {
        let config = DbConfig::new(&test_db.url, "ferrex_svc", password(), SERVICE);
        Self {
            db: Db::connect(&config).await.unwrap(),
            test_db,
            transport,
        }
    }

    /// Where the Kafka is that this runs over.
    pub fn brokers(&self) -> String {
        match &self.transport {
            TransportConfig::Kafka(config) => config.brokers.clone(),
            TransportConfig::Embedded(_) => unreachable!("this test runs over Kafka"),
        }
    }

    /// A connection of its own, as another process would have.
    pub async fn bus(&self) -> Bus {
        let config = BusConfig::new(SERVICE, self.transport.clone());
        Bus::connect(&config, SystemClock::shared()).await.unwrap()
    }

    /// Starts a replica of the service.
    pub async fn replica(&self, router: Router) -> Replica {
        self.replica_over(self.transport.clone(), router).await
    }

    /// Starts a replica of the service that reaches the bus in its own way.
    pub async fn replica_over(&self, transport: TransportConfig, router: Router) -> Replica {
        let config = BusConfig::new(SERVICE, transport);
        let bus = Bus::connect(&config, SystemClock::shared()).await.unwrap();
        let (db, stop) = (self.db.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move { ferrex_bus::serve(&bus, &db, router, stopped).await });
        Replica { stop, task }
    }

    /// Starts a relay of the service's outbox.
    pub async fn relay(&self) -> Replica {
        let (bus, db, stop) = (self.bus().await, self.db.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move { outbox::relay(&db, &bus, stopped).await });
        Replica { stop, task }
    }

    /// Puts a message into the outbox, in a transaction of its own.
    pub async fn put(&self, message: &Outgoing) {
        let mut tx = self.db.begin().await.unwrap();
        outbox::put(&mut tx, message).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn effects(&self) -> Vec<Effect> {
        sqlx::query_as("SELECT key, number, worker FROM effect ORDER BY seq")
            .fetch_all(self.db.pool())
            .await
            .unwrap()
    }

    /// Waits until there are this many effects.
    pub async fn effects_reach(&self, count: usize) -> Vec<Effect> {
        eventually(SOON, || async {
            let effects = self.effects().await;
            if effects.len() >= count {
                Ok(effects)
            } else {
                Err(format!("{} of {count}", effects.len()))
            }
        })
        .await
    }

    /// The numbers of the effects, once there are so many.
    pub async fn numbers(&self, count: usize) -> Vec<i64> {
        let effects = self.effects_reach(count).await;
        effects.into_iter().map(|effect| effect.number).collect()
    }

    /// Waits until everything in the outbox is published.
    pub async fn drained(&self) {
        eventually(SOON, || async {
            let backlog = outbox::backlog(&self.db).await.unwrap();
            if backlog.messages == 0 {
                Ok(())
            } else {
                Err(backlog)
            }
        })
        .await;
    }

    /// Waits until the group has nothing to do.
    pub async fn caught_up(&self, bus: &Bus, group: &str, topic: &str) {
        eventually(SOON, || async {
            let lag = bus.lag(group, &[topic]).await.unwrap();
            let behind: i64 = lag.iter().map(ferrex_bus::Lag::messages).sum();
            if behind == 0 { Ok(()) } else { Err(lag) }
        })
        .await;
    }

    /// Sets a group, which must have no members, back to the beginning of a topic.
    pub async fn rewind(&self, group: &str, topic: &str) {
        match &self.transport {
            TransportConfig::Embedded(_) => {
                let mut connection = Postgres::shared().await.superuser(&self.test_db).await;
                sqlx::query("UPDATE bus.claim SET position = 0 WHERE consumer_group = $1 AND topic = $2")
                    .bind(group)
                    .bind(topic)
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
            TransportConfig::Kafka(config) => {
                crate::kafka::rewind(config.brokers.clone(), group.to_owned(), topic.to_owned()).await;
            }
        }
    }
}

/// A running consumer or relay.
pub struct Replica {
    pub stop: CancellationToken,
    pub task: JoinHandle<Result<(), ferrex_bus::Error>>,
}

impl Replica {
    /// Ends it in good order.
    pub async fn leave(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it in the middle of whatever it does.
    pub async fn die(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// An event with a number.
pub fn event<M: ferrex_contracts::Message>(key: &str, message: &M) -> Outgoing {
    Outgoing::event(
        SERVICE,
        MessageId::new_at(SystemClock.unix_ms()),
        key,
        SystemClock.now(),
        message,
    )
}

/// The effect of an event: a row.
pub async fn write_effect(
    tx: &mut Tx,
    delivery: &ferrex_bus::Delivery,
    number: i64,
    worker: &str,
) -> Result<(), ferrex_fault::Fault> {
    sqlx::query("INSERT INTO effect (message_id, key, number, worker) VALUES ($1, $2, $3, $4)")
        .bind(delivery.id.uuid())
        .bind(&*delivery.key)
        .bind(number)
        .bind(worker)
        .execute(&mut **tx)
        .await
        .map_err(|error| ferrex_postgres::Error::from(error).into())
        .map(drop)
}

/// A router whose events of type `M` write their effect under a worker's name.
macro_rules! writing {
    ($group:expr, $message:ty, $worker:expr) => {{
        let worker: &'static str = $worker;
        ferrex_bus::Router::new($group).on_event::<$message, _>(move |delivery, message, tx| {
            Box::pin(async move { crate::world::write_effect(tx, delivery, message.number, worker).await })
        })
    }};
}
pub(crate) use writing;
