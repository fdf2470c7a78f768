//! Messages: beside NestJS over the same Kafka, and the embedded bus by itself.
//!
//! - [`produce`]: publishing, beside `ClientKafka.emit`.
//! - [`consume`]: receiving, with a handler that does nothing, beside `@EventPattern`.
//! - [`requests`]: request and answer with 64 and 1 in flight, beside `ClientKafka` and `@MessagePattern`, and beside the least
//!   that Kafka needs.
//! - [`events`]: events with one durable effect each, beside `@EventPattern` with `pg`.
//! - [`relay`]: from an outbox and from the journal to Kafka, beside one row at a time and beside reading alone.
//! - [`scaling`]: four replicas that come and go, beside one.
//! - [`embedded`]: how long a request and its answer take over the embedded bus, at a fixed rate.

mod backlog;
pub mod consume;
pub mod embedded;
pub mod events;
mod nest;
mod ping;
pub mod produce;
mod readback;
pub mod relay;
pub mod requests;
pub mod scaling;

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
                sql: "CREATE TABLE effect (id uuid PRIMARY KEY, n bigint NOT NULL);
                      CREATE TABLE step (seq bigint GENERATED ALWAYS AS IDENTITY, key bigint NOT NULL, n bigint NOT NULL)",
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

/// An event that is handled by doing nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ignored {
    id: Uuid,
    n: u64,
}

impl Message for Ignored {
    const TYPE: &'static str = "bench.ignored.happened";
    const TOPIC: &'static str = "bench.ignored.v1";
}

/// An event whose handler takes its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slow {
    key: i64,
    n: i64,
}

impl Message for Slow {
    const TYPE: &'static str = "bench.slow.happened";
    const TOPIC: &'static str = "bench.slow.v1";
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
