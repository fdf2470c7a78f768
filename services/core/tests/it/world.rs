//! One `core` with a database of its own, a clock that is moved by hand, and a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, TransportConfig};
use ferrex_contracts::notifications::SendMail;
use ferrex_contracts::{Message, Request as BusRequest};
use ferrex_core::throttle::{Limit, Limits};
use ferrex_core::{Config, Deps, Hashing, SCHEMA, Service};
use ferrex_postgres::{Db, DbConfig, provision};
use ferrex_runtime::CancellationToken;
use ferrex_settings::SecretFile;
use ferrex_testkit::{Postgres, TestDb};
use ferrex_time::{ManualClock, SystemClock, from_micros};
use ferrex_web::{RateConfig, Surface, TokenSigner, TokenVerifier, generate_key_pem, public_router};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::Row as _;
use totp_rs::{Builder, Secret};
use tower::ServiceExt as _;

pub(crate) const PASSWORD: &str = "verdant mule tigerlily 7";
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Where tests that do not care come from.
pub(crate) const HOME: &str = "192.0.2.1";

pub(crate) struct World {
    pub service: Service,
    pub clock: Arc<ManualClock>,
    pub database: TestDb,
    pub db: Db,
    pub verifier: TokenVerifier,
    router: axum::Router,
    shutdown: CancellationToken,
    _root_key: tempfile::NamedTempFile,
}

pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
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

/// A person with an account.
#[derive(Clone)]
pub(crate) struct Person {
    pub id: String,
    pub email: String,
}

/// A logged-in client.
#[derive(Clone)]
pub(crate) struct Login {
    pub session: String,
    pub session_token: String,
    pub access_token: String,
}

fn role_password() -> SecretString {
    SecretString::from("core-test")
}

/// Limits that no test meets by accident; those of codes and passwords stay.
fn limits() -> Limits {
    let wide = Limit {
        max: 100_000,
        window_s: 3600,
    };
    Limits {
        registrations_per_network: wide,
        resets_per_network: wide,
        answers_per_network: wide,
        logins_per_network: wide,
        ..Limits::default()
    }
}

pub(crate) fn config() -> Config {
    let hashing = Hashing {
        memory_kib: 64,
        passes: 1,
        parallel: 2,
        queue_max: 1_000,
        patience_ms: 20_000,
    };
    Config {
        hashing,
        limits: limits(),
        public_url: "https://wallet.example/".into(),
        ..Config::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(mut config: Config) -> Self {
        crate::work::prepare();
        let database = Postgres::shared()
            .await
            .database_from("core", |db| async move {
                for spec in [&SCHEMA, &ferrex_bus::EMBEDDED] {
                    provision(&db.admin_url, spec, &role_password())
                        .await
                        .expect("the schema can be provisioned");
                }
            })
            .await;
        let clock = Arc::new(ManualClock::new(from_micros(1_800_000_000_000_000)));
        let own = DbConfig::new(&database.url, SCHEMA.role, role_password(), SCHEMA.schema);
        let db = Db::connect(&own).await.expect("the address is one");
        let bus = bus(&database, "core").await;
        let tokens = TokenSigner::from_pem(&generate_key_pem(), clock.clone()).expect("a new key is one");
        let verifier = TokenVerifier::new([tokens.public_key()], clock.clone());
        let root_key = tempfile::NamedTempFile::new().expect("a file can be made");
        std::fs::write(root_key.path(), "0123456789abcdef0123456789abcdef\n")
            .expect("the key can be written");
        config.root_key = Some(SecretFile::new(root_key.path()));
        let deps = Deps {
            db: db.clone(),
            bus,
            clock: clock.clone(),
            tokens,
            verifier: verifier.clone(),
        };
        let service = ferrex_core::build(config, deps)
            .await
            .expect("the settings are sound");
        let surface = Surface {
            name: "public",
            title: "Ferrex",
            description: "Test.",
        };
        let fast = RateConfig {
            per_second: 1_000_000,
            burst: 1_000_000,
        };
        let http = ferrex_web::Config {
            per_address: fast,
            per_user: fast,
            ..ferrex_web::Config::default()
        };
        let router = public_router(&surface, &http, Some(verifier.clone()), vec![service.public()])
            .expect("the settings of the listener are sound");
        let shutdown = CancellationToken::new();
        Self {
            service,
            clock,
            database,
            db,
            verifier,
            router,
            shutdown,
            _root_key: root_key,
        }
    }

    /// Starts relay and consumers; from now on the outbox is emptied.
    pub(crate) fn run(&self) {
        let (service, shutdown) = (self.service.clone(), self.shutdown.clone());
        tokio::spawn(async move { service.run(shutdown).await });
    }

    /// The bus as another service sees it.
    pub(crate) async fn bus(&self, service: &str) -> Bus {
        bus(&self.database, service).await
    }

    pub(crate) async fn ask<R: BusRequest>(&self, bus: &Bus, request: &R) -> Result<R::Reply, String> {
        bus.request("", request, SOON).await.map_err(|error| match error {
            ferrex_bus::RequestError::Fault(fault) => fault.code.into_owned(),
            other => other.to_string(),
        })
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&str>,
        from: &str,
    ) -> Answer {
        let peer = SocketAddr::new(from.parse().expect("an address"), 5000);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ConnectInfo(peer));
        request = request.header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_owned())));
        let response = self
            .router
            .clone()
            .oneshot(request.expect("a request"))
            .await
            .expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("a body");
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
            let is_html = headers
                .get("content-type")
                .is_some_and(|kind| kind == "text/html; charset=utf-8");
            if is_html {
                Value::String(text)
            } else {
                serde_json::from_str(&text).expect("JSON")
            }
        };
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {body}");
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, None, Some(&body.to_string()), HOME)
            .await
    }

    pub(crate) async fn post_as(&self, login: &Login, path: &str, body: Value) -> Answer {
        self.call(
            Method::POST,
            path,
            Some(&login.access_token),
            Some(&body.to_string()),
            HOME,
        )
        .await
    }

    pub(crate) async fn get_as(&self, login: &Login, path: &str) -> Answer {
        self.call(Method::GET, path, Some(&login.access_token), None, HOME)
            .await
    }

    pub(crate) async fn delete_as(&self, login: &Login, path: &str) -> Answer {
        self.call(Method::DELETE, path, Some(&login.access_token), None, HOME)
            .await
    }

    /// Mails in the outbox to an address, in order.
    pub(crate) async fn mails(&self, email: &str) -> Vec<SendMail> {
        let all: Vec<SendMail> = self.messages().await;
        all.into_iter().filter(|mail| mail.email == email).collect()
    }

    pub(crate) async fn last_mail(&self, email: &str, template: &str) -> SendMail {
        let mails = self.mails(email).await;
        let found = mails.iter().rev().find(|mail| mail.template == template);
        found
            .unwrap_or_else(|| panic!("no {template} among {mails:?}"))
            .clone()
    }

    /// Messages of a type in the outbox, in order.
    pub(crate) async fn messages<M: Message>(&self) -> Vec<M> {
        let rows = sqlx::query("SELECT body FROM outbox WHERE message_type = $1 ORDER BY seq")
            .bind(M::TYPE)
            .fetch_all(self.db.pool())
            .await
            .expect("the outbox can be read");
        rows.iter()
            .map(|row| serde_json::from_slice(row.get(0)).expect("a message"))
            .collect()
    }

    pub(crate) async fn register(&self, name: &str) -> (String, String) {
        let email = format!("{name}@example.org");
        let body = json!({ "email": email, "user_name": name, "password": PASSWORD });
        let answer = self.post("/v1/registrations", body).await.expect(202);
        (answer["id"].as_str().expect("an id").to_owned(), email)
    }

    /// A person with a confirmed address.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let (id, email) = self.register(name).await;
        let code = self.last_mail(&email, "confirm_email").await.params["code"].clone();
        let answer = self
            .post("/v1/registrations/confirm", json!({ "id": id, "code": code }))
            .await
            .expect(201);
        Person {
            id: answer["user_id"].as_str().expect("an id").to_owned(),
            email,
        }
    }

    pub(crate) async fn try_login(&self, email: &str, password: &str, from: &str) -> Answer {
        let body = json!({ "email": email, "password": password }).to_string();
        self.call(Method::POST, "/v1/sessions", None, Some(&body), from)
            .await
    }

    pub(crate) async fn login(&self, person: &Person) -> Login {
        Login::read(&self.try_login(&person.email, PASSWORD, HOME).await.expect(201))
    }

    /// Enrols an authenticator; gives its secret and the recovery codes.
    pub(crate) async fn enrol(&self, login: &Login) -> (String, Vec<String>) {
        let begun = self
            .post_as(
                login,
                "/v1/me/second-factor/totp",
                json!({ "password": PASSWORD }),
            )
            .await
            .expect(201);
        let secret = begun["secret"].as_str().expect("a secret").to_owned();
        let body = json!({ "code": self.code(&secret) });
        let done = self
            .post_as(login, "/v1/me/second-factor/totp/confirm", body)
            .await
            .expect(200);
        let codes = done["recovery_codes"].as_array().expect("codes");
        (
            secret,
            codes
                .iter()
                .map(|code| code.as_str().expect("a code").to_owned())
                .collect(),
        )
    }

    /// What the authenticator shows now.
    pub(crate) fn code(&self, secret: &str) -> String {
        self.code_at(secret, 0)
    }

    /// What the authenticator shows some steps from now.
    pub(crate) fn code_at(&self, secret: &str, steps: i64) -> String {
        use ferrex_time::Clock as _;
        let secret = Secret::try_from_base32(secret).expect("base32");
        let totp = Builder::new()
            .with_secret(secret)
            .build()
            .expect("an authenticator");
        let at = self.clock.now().timestamp() + steps * 30;
        totp.generate(u64::try_from(at).expect("after 1970")).to_string()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(ferrex_time::Duration::seconds(seconds));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Login {
    #[track_caller]
    pub(crate) fn read(body: &Value) -> Self {
        let text = |field: &str| {
            body[field]
                .as_str()
                .unwrap_or_else(|| panic!("no {field} in {body}"))
                .to_owned()
        };
        Self {
            session: text("session_id"),
            session_token: text("session_token"),
            access_token: text("access_token"),
        }
    }
}

async fn bus(database: &TestDb, service: &str) -> Bus {
    let log = DbConfig::new(&database.url, "ferrex_bus", role_password(), "bus");
    let transport = TransportConfig::Embedded(EmbeddedConfig::new(log));
    Bus::connect(&BusConfig::new(service, transport), SystemClock::shared())
        .await
        .expect("the bus can be prepared")
}
