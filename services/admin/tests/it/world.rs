//! One `admin` with a database of its own, a clock that is moved by hand, and a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use ferrex_admin::{Config, Deps, SCHEMA, Service, build};
use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, TransportConfig};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::CancellationToken;
use ferrex_settings::SecretFile;
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::{Clock as _, ManualClock, SystemClock, from_micros};
use ferrex_web::{RateConfig, Surface, public_router};
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const PASSWORD: &str = "verdant mule tigerlily 7";
pub(crate) const SURFACE: Surface = Surface {
    name: "admin",
    title: "Ferrex admin",
    description: "For staff.",
};

pub(crate) struct World {
    pub service: Service,
    pub clock: Arc<ManualClock>,
    pub database: TestDb,
    pub db: Db,
    router: axum::Router,
    shutdown: CancellationToken,
    _root_key: tempfile::NamedTempFile,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Asserts the status and gives the body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Asserts a refusal with this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        body
    }
}

/// Someone with an account and an authenticator.
pub(crate) struct Person {
    pub name: String,
    secret: String,
}

impl Person {
    /// What the authenticator shows.
    pub(crate) fn code(&self, world: &World) -> String {
        code(&self.secret, world)
    }
}

pub(crate) fn code(secret: &str, world: &World) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).expect("the secret is base32");
    let totp = totp_rs::Builder::new()
        .with_secret(secret.as_bytes().to_vec())
        .with_account_name("x".to_owned());
    let seconds = u64::try_from(world.clock.now().timestamp()).unwrap();
    totp.build().unwrap().generate(seconds).to_string()
}

fn password() -> SecretString {
    SecretString::from("role-password")
}

async fn prepare(db: TestDb) {
    for spec in [&ferrex_bus::EMBEDDED, &SCHEMA] {
        provision(&db.admin_url, spec, &password()).await.unwrap();
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let database = Postgres::shared().await.database_from("admin", prepare).await;
        let config = DbConfig::new(database.url.clone(), SCHEMA.role, password(), SCHEMA.schema);
        let db = Db::connect(&config).await.unwrap();
        let root_key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root_key.path(), "0123456789abcdef0123456789abcdef").unwrap();
        let clock = Arc::new(ManualClock::new(from_micros(1_750_000_000_000_000)));
        let config = Config {
            root_key: Some(SecretFile::new(root_key.path())),
            answer_within_ms: 2_000,
            hash_memory_kib: 64,
            hash_passes: 1,
            ..Config::default()
        };
        let bus = bus(&database, "admin").await;
        let deps = Deps {
            db: db.clone(),
            bus,
            clock: clock.clone(),
        };
        let service = build(config, deps).await.unwrap();
        let rates = RateConfig {
            per_second: 10_000,
            burst: 10_000,
        };
        let web = ferrex_web::Config {
            per_address: rates,
            per_user: rates,
            ..ferrex_web::Config::default()
        };
        let router = public_router(&SURFACE, &web, None, vec![service.routes()]).unwrap();
        let shutdown = CancellationToken::new();
        let running = service.clone();
        let token = shutdown.clone();
        tokio::spawn(async move { running.run(token).await });
        Self {
            service,
            clock,
            database,
            db,
            router,
            shutdown,
            _root_key: root_key,
        }
    }

    /// A bus as another service.
    pub(crate) async fn bus(&self, service: &str) -> Bus {
        bus(&self.database, service).await
    }

    /// Answers as another service until the world ends.
    pub(crate) async fn stand_in(&self, service: &str, router: ferrex_bus::Router) {
        let (bus, db, shutdown) = (self.bus(service).await, self.db.clone(), self.shutdown.clone());
        tokio::spawn(async move { ferrex_bus::serve(&bus, &db, router, shutdown).await.unwrap() });
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(ferrex_time::Duration::seconds(seconds));
    }

    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).unwrap();
        let peer: SocketAddr = "192.0.2.1:4711".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let response = self.raw(method, path, token, body).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, Some(token), None).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.call(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(token), Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, Some(token), None).await
    }

    /// Begins a set-up and gives the authenticator's secret.
    pub(crate) async fn begin(&self, link_token: &str) -> String {
        let body = self
            .post("/v1/setup/begin", None, json!({ "token": link_token }))
            .await
            .expect(200);
        body["secret"].as_str().unwrap().to_owned()
    }

    /// Makes the account of a link.
    pub(crate) async fn set_up(&self, link_token: &str, name: &str) -> Person {
        let secret = self.begin(link_token).await;
        let body =
            json!({ "token": link_token, "name": name, "password": PASSWORD, "code": code(&secret, self) });
        self.post("/v1/setup", None, body).await.expect(201);
        Person {
            name: name.to_owned(),
            secret,
        }
    }

    pub(crate) async fn log_in(&self, person: &Person, password: &str, code: &str) -> Answer {
        self.post(
            "/v1/sessions",
            None,
            json!({ "name": person.name, "password": password, "code": code }),
        )
        .await
    }

    /// The first account, logged in; gives its token.
    pub(crate) async fn operator(&self) -> String {
        let link = self
            .service
            .first_link()
            .await
            .unwrap()
            .expect("there is no account yet");
        let person = self.set_up(token_of(&link), "olga").await;
        self.advance(30);
        let body = self
            .log_in(&person, PASSWORD, &person.code(self))
            .await
            .expect(201);
        body["token"].as_str().unwrap().to_owned()
    }

    /// The audit log, the oldest first, as (action, outcome).
    pub(crate) async fn audited(&self, token: &str) -> Vec<(String, String)> {
        let page = self.get("/v1/audit-entries?limit=100", token).await.expect(200);
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|e| (text(e, "action"), text(e, "outcome")))
            .collect()
    }
}

/// What stands behind the `#`.
pub(crate) fn token_of(link: &str) -> &str {
    link.split_once("/setup#").expect("a set-up link").1
}

async fn bus(database: &TestDb, service: &str) -> Bus {
    let schema = &ferrex_bus::EMBEDDED;
    let config = DbConfig::new(database.url.clone(), schema.role, password(), schema.schema);
    let mut embedded = EmbeddedConfig::new(config);
    embedded.look_every = Duration::from_millis(50);
    let config = BusConfig::new(service, TransportConfig::Embedded(embedded));
    Bus::connect(&config, SystemClock::shared()).await.unwrap()
}
