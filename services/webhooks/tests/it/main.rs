//! Inbound webhooks on a real PostgreSQL and the embedded bus, through the public listener's layers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_days;
mod forwarding;
mod receiving;
mod schema;

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router as HttpRouter;
use axum::body::Body;
use axum::http::Request;
use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, Router, TransportConfig};
use ferrex_contracts::webhooks::WebhookReceived;
use ferrex_postgres::{Db, DbConfig, SchemaSpec, provision};
use ferrex_runtime::{CancellationToken, Readiness};
use ferrex_settings::SecretFile;
use ferrex_testkit::{Postgres, TestDb, eventually};
use ferrex_time::{Clock as _, ManualClock, SharedClock, Timestamp};
use ferrex_web::{Surface, public_router};
use ferrex_webhooks::{Config, Dependencies, SCHEMA, Service, SourceConfig, build, routes};
use http_body_util::BodyExt as _;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::NamedTempFile;
use tower::ServiceExt as _;

const OLD: &str = "whsec_b2xkLXNlY3JldC1vZi10aGUtc291cmNlLTAwMDE=";
const NEW: &str = "whsec_bmV3LXNlY3JldC1vZi10aGUtc291cmNlLTAwMDI=";
const DEADLINE: Duration = Duration::from_secs(30);

/// Somebody who reads what webhooks publishes, with an inbox of its own.
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
    Postgres::shared().await.database_from("webhooks", prepare).await
}

fn db_config(db: &TestDb, spec: &SchemaSpec) -> DbConfig {
    DbConfig::new(&db.url, spec.role, password(), spec.schema)
}

struct App {
    clock: Arc<ManualClock>,
    service: Service,
    http: HttpRouter,
    db: Db,
    bus: Bus,
    probe: Db,
    shutdown: CancellationToken,
    _secrets: Vec<NamedTempFile>,
}

impl App {
    /// The service with these secrets, not running.
    async fn new(db: &TestDb, secrets: &[&str]) -> Self {
        let clock = Arc::new(ManualClock::new(at("2026-05-01T12:00:00Z")));
        Self::with(
            db,
            secrets,
            clock,
            Config {
                quarantine_rows_max: 5,
                ..Config::default()
            },
        )
        .await
    }

    async fn with(db: &TestDb, secrets: &[&str], clock: Arc<ManualClock>, mut config: Config) -> Self {
        let files: Vec<NamedTempFile> = secrets.iter().map(|secret| secret_file(secret)).collect();
        let source = SourceConfig {
            secrets: files.iter().map(|file| SecretFile::new(file.path())).collect(),
            tolerance_seconds: 300,
            order_key_pointer: Some("/data/reference".to_owned()),
        };
        config.sources.insert("identity".to_owned(), source);
        let shared: SharedClock = clock.clone();
        let transport = TransportConfig::Embedded(EmbeddedConfig::new(db_config(db, &ferrex_bus::EMBEDDED)));
        let bus = Bus::connect(&BusConfig::new(SCHEMA.schema, transport), shared.clone())
            .await
            .unwrap();
        let own = Db::connect(&db_config(db, &SCHEMA)).await.unwrap();
        let probe = Db::connect(&db_config(db, &PROBE)).await.unwrap();
        let dependencies = Dependencies {
            db: own.clone(),
            bus: bus.clone(),
            clock: shared,
            readiness: Readiness::new(),
        };
        let service = build(config, dependencies).unwrap();
        let surface = Surface {
            name: "public",
            title: "Test",
            description: "",
        };
        let http = public_router(
            &surface,
            &ferrex_web::Config::default(),
            None,
            vec![routes(&service)],
        )
        .unwrap();
        Self {
            clock,
            service,
            http,
            db: own,
            bus,
            probe,
            shutdown: CancellationToken::new(),
            _secrets: files,
        }
    }

    /// Forwards until the app is dropped.
    fn run(&self) {
        tokio::spawn(self.service.clone().run(self.shutdown.clone()));
    }

    /// What a consumer handles, from now until the app is dropped.
    fn read(&self) -> Arc<Mutex<Vec<WebhookReceived>>> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (bus, db, shutdown, sink) = (
            self.bus.clone(),
            self.probe.clone(),
            self.shutdown.clone(),
            seen.clone(),
        );
        let router = Router::new("probe").on_event::<WebhookReceived, _>(move |_, event, _| {
            sink.lock().unwrap().push(event);
            Box::pin(std::future::ready(Ok(())))
        });
        tokio::spawn(async move { ferrex_bus::serve(&bus, &db, router, shutdown).await });
        seen
    }

    /// An event signed as the official library does it.
    fn signed(&self, secret: &str, id: &str, body: &str) -> Request<Body> {
        signed_at(secret, id, body, self.clock.now().timestamp())
    }

    /// Status and code of the answer.
    async fn send(&self, request: Request<Body>) -> (u16, String) {
        let response = self.http.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let code =
            serde_json::from_slice::<Value>(&body).map_or(Value::Null, |problem| problem["code"].clone());
        (status, code.as_str().unwrap_or("").to_owned())
    }

    async fn count(&self, what: &'static str) -> i64 {
        sqlx::query_scalar(what).fetch_one(self.db.pool()).await.unwrap()
    }

    async fn events(&self) -> i64 {
        self.count("SELECT count(*) FROM inbound_event").await
    }

    async fn quarantined(&self) -> i64 {
        self.count("SELECT count(*) FROM quarantine").await
    }

    /// Waits until everything stored is on the bus and the outbox is empty.
    async fn settle(&self) {
        eventually(DEADLINE, || async {
            self.count("SELECT count(*) FROM inbound_event WHERE status = 'stored'")
                .await
                == 0
                && self.count("SELECT count(*) FROM flow WHERE NOT is_final").await == 0
                && self.count("SELECT count(*) FROM outbox").await == 0
        })
        .await;
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn signed_at(secret: &str, id: &str, body: &str, seconds: i64) -> Request<Body> {
    let signature = standardwebhooks::Webhook::new(secret)
        .unwrap()
        .sign(id, seconds, body.as_bytes())
        .unwrap();
    request(id, &seconds.to_string(), &signature, body)
}

fn secret_file(secret: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{secret}").unwrap();
    file
}

fn request(id: &str, timestamp: &str, signature: &str, body: &str) -> Request<Body> {
    Request::post("/webhooks/identity")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const BODY: &str = r#"{ "type":"applicant.decided", "data": {"reference":"ver_1"} }"#;
