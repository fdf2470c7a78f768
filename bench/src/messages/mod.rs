//! Messages: beside NestJS over the same Kafka, and the embedded bus by itself.
//!
//! - [`requests`]: request and answer with 64 in flight, beside `ClientKafka` and `@MessagePattern`.
//! - [`events`]: events with one durable effect each, beside `@EventPattern` with `pg`.
//! - [`embedded`]: how long a request and its answer take over the embedded bus, at a fixed rate.

pub mod embedded;
pub mod events;
mod nest;
pub mod requests;

use ferrex_bus::{Bus, BusConfig, KafkaConfig, MIGRATIONS, TransportConfig};
use ferrex_contracts::{Message, Request};
use ferrex_postgres::{Db, DbConfig, Migration, MigrationSet, SchemaSpec};
use ferrex_testkit::{Kafka, TestDb};
use ferrex_time::SystemClock;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The service that this side plays.
const SERVICE: &str = "bench";

const SCHEMA: SchemaSpec = SchemaSpec {
    schema: SERVICE,
    role: "ferrex_bench",
    sets: &[
        &MIGRATIONS,
        &MigrationSet {
            name: "bench",
            migrations: &[Migration {
                version: 1,
                name: "effect",
                // Without ON CONFLICT: a second effect of one event would be an error here.
                sql: "CREATE TABLE effect (id uuid PRIMARY KEY, n bigint NOT NULL)",
            }],
        },
    ],
    after_grants: "",
};

/// What is asked and answered, about 300 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Echo {
    n: u64,
    text: String,
}

impl Echo {
    fn new(n: u64) -> Self {
        Self {
            n,
            text: "x".repeat(250),
        }
    }
}

impl Message for Echo {
    const TYPE: &'static str = "bench.echo";
    const TOPIC: &'static str = "bench.requests.v1";
}

impl Request for Echo {
    type Reply = Self;
}

/// An event that is handled alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Single {
    id: Uuid,
    n: i64,
}

impl Message for Single {
    const TYPE: &'static str = "bench.single.happened";
    const TOPIC: &'static str = "bench.single.v1";
}

/// An event that is handled with what waits beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Batched {
    id: Uuid,
    n: i64,
}

impl Message for Batched {
    const TYPE: &'static str = "bench.batched.happened";
    const TOPIC: &'static str = "bench.batched.v1";
}

fn password() -> SecretString {
    SecretString::from("bench")
}

/// A connection of its own, as each process of a service has.
async fn kafka_bus(kafka: &Kafka) -> anyhow::Result<Bus> {
    let own = KafkaConfig::new(kafka.brokers());
    let config = BusConfig::new(SERVICE, TransportConfig::Kafka(own));
    Ok(Bus::connect(&config, SystemClock::shared()).await?)
}

/// The service's pool.
async fn service_db(db: &TestDb) -> anyhow::Result<Db> {
    Ok(Db::connect(&DbConfig::new(&db.url, SCHEMA.role, password(), SCHEMA.schema)).await?)
}
