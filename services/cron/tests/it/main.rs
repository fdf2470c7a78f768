//! Cron on a real PostgreSQL and the embedded bus, with a clock that the test moves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod leading;
mod schema;
mod ticking;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, Router, TransportConfig};
use ferrex_contracts::cron::CronTick;
use ferrex_cron::{CatchUp, Config, Dependencies, SCHEMA, Schedule, Service, build};
use ferrex_postgres::{Db, DbConfig, SchemaSpec, provision};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_testkit::{Postgres, TestDb, eventually};
use ferrex_time::{Clock as _, ManualClock, Timestamp};
use secrecy::SecretString;
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(30);
const START: &str = "2026-05-01T12:00:30Z";
/// The hourly job that the tests look at.
const JOB: &str = "session_cleanup";

/// A worker somewhere else, with an inbox of its own.
const PROBE: SchemaSpec = SchemaSpec {
    schema: "probe",
    role: "ferrex_probe",
    sets: &[&ferrex_bus::MIGRATIONS],
    after_grants: "",
};

fn password() -> SecretString {
    SecretString::from("test")
}

async fn prepare(db: TestDb) {
    for spec in [&ferrex_bus::EMBEDDED, &SCHEMA, &PROBE] {
        provision(&db.admin_url, spec, &password()).await.unwrap();
    }
}

async fn database() -> TestDb {
    Postgres::shared().await.database_from("cron", prepare).await
}

fn db_config(db: &TestDb, spec: &SchemaSpec) -> DbConfig {
    DbConfig::new(&db.url, spec.role, password(), spec.schema)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at(START)))
}

/// One process of the cron role.
struct Member {
    service: Service,
    db: Db,
    bus: Bus,
    shutdown: CancellationToken,
}

impl Member {
    async fn new(db: &TestDb, clock: &Arc<ManualClock>) -> Self {
        let transport = TransportConfig::Embedded(EmbeddedConfig::new(db_config(db, &ferrex_bus::EMBEDDED)));
        let bus = Bus::connect(&BusConfig::new(SCHEMA.schema, transport), clock.clone())
            .await
            .unwrap();
        let own = Db::connect(&db_config(db, &SCHEMA)).await.unwrap();
        let dependencies = Dependencies {
            db: own.clone(),
            bus: bus.clone(),
            clock: clock.clone(),
            readiness: Readiness::new(),
        };
        let config = Config {
            lease_ms: 900,
            look_ms: 20,
        };
        Self {
            service: build(config, dependencies).unwrap(),
            db: own,
            bus,
            shutdown: CancellationToken::new(),
        }
    }

    fn run(&self) -> JoinHandle<()> {
        let (service, shutdown) = (self.service.clone(), self.shutdown.clone());
        tokio::spawn(async move { service.run(shutdown).await.unwrap() })
    }

    /// Gives the hourly job this policy, from now on, and takes the others away.
    async fn only_hourly(&self, catch_up: CatchUp) {
        eventually(DEADLINE, || async {
            self.service
                .list_schedules()
                .await
                .is_ok_and(|all| all.len() == 6)
        })
        .await;
        let hourly = Schedule::parse("0 * * * *", "UTC", catch_up).unwrap();
        for row in self.service.list_schedules().await.unwrap() {
            self.service
                .change_schedule(&row.job, &hourly, row.job == JOB)
                .await
                .unwrap();
        }
    }

    /// Moments of the hourly job that have their run, as hours.
    async fn runs(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT to_char(scheduled_for AT TIME ZONE 'UTC', 'DD HH24:MI') FROM run WHERE job = $1 ORDER BY scheduled_for",
        )
        .bind(JOB)
        .fetch_all(self.db.pool())
        .await
        .unwrap()
    }

    /// Waits until nothing is due and everything is published.
    async fn settle(&self, clock: &ManualClock) {
        eventually(DEADLINE, || async {
            let due = self
                .service
                .list_schedules()
                .await
                .unwrap()
                .iter()
                .any(|row| row.enabled && row.next_at <= clock.now());
            let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
                .fetch_one(self.db.pool())
                .await
                .unwrap();
            !due && waiting == 0
        })
        .await;
    }

    /// The work of a consumer, from now until the member is dropped.
    async fn work(&self, db: &TestDb) -> Arc<Mutex<Vec<CronTick>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let probe = Db::connect(&db_config(db, &PROBE)).await.unwrap();
        let (bus, shutdown, sink) = (self.bus.clone(), self.shutdown.clone(), seen.clone());
        let router = Router::new("probe").on_event::<CronTick, _>(move |_, tick, _| {
            sink.lock().unwrap().push(tick);
            Box::pin(std::future::ready(Ok(())))
        });
        tokio::spawn(async move { ferrex_bus::serve(&bus, &probe, router, shutdown).await });
        seen
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
