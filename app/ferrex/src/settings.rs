//! Every setting there is. Sections that belong to a service are its own `Config`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ferrex_settings::{JsonSchema, SecretFile};
use serde::{Deserialize, Serialize};

use crate::role::Role;

/// The settings of a process; each role reads its part.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settings {
    /// Logs, metrics, traces.
    pub telemetry: ferrex_telemetry::Config,
    /// PostgreSQL.
    pub database: Database,
    /// What carries messages.
    pub bus: Bus,
    /// The HTTP listeners.
    pub listen: Listen,
    /// Limits and the like of all HTTP listeners.
    pub web: ferrex_web::Config,
    /// Access tokens.
    pub tokens: Tokens,
    /// The money engine.
    pub engine: ferrex_engine::Config,
    /// How payment reaches an engine in another process.
    pub engine_client: EngineAddress,
    /// The keys.
    pub signer: ferrex_signer::Config,
    /// Users.
    pub core: ferrex_core::Config,
    /// Money of people.
    pub payment: ferrex_payment::Config,
    /// Mail.
    pub notifications: ferrex_notifications::Config,
    /// Inbound events.
    pub webhooks: ferrex_webhooks::Config,
    /// Ticks.
    pub cron: ferrex_cron::Config,
    /// Staff.
    pub admin: ferrex_admin::Config,
}

/// PostgreSQL.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Database {
    /// `postgres://host:port/database` without user and password.
    pub url: String,
    /// The owning admin role's whole address; only `ferrex migrate` and `ferrex ledger audit` read it.
    pub admin_url: Option<SecretFile>,
    /// A directory with one file a login role, named as the role (`ferrex_core`, …), that holds its password.
    pub passwords: PathBuf,
    /// Most connections a role holds at once.
    pub connections_max: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "postgres://127.0.0.1:5432/ferrex".to_owned(),
            admin_url: None,
            passwords: PathBuf::from("secrets/database"),
            connections_max: 10,
        }
    }
}

impl Database {
    /// The password of a login role.
    pub fn password(&self, login: &str) -> anyhow::Result<secrecy::SecretString> {
        Ok(SecretFile::new(self.passwords.join(login)).read()?)
    }

    /// How a login role reaches its schema.
    pub fn of_role(&self, login: &str, schema: &str) -> anyhow::Result<ferrex_postgres::DbConfig> {
        let password = self.password(login)?;
        let mut config = ferrex_postgres::DbConfig::new(self.url.clone(), login, password, schema);
        config.max_connections = self.connections_max;
        Ok(config)
    }
}

/// What carries messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Bus {
    /// Which transport.
    pub transport: Transport,
    /// Kafka's bootstrap servers, `host:port` separated by commas.
    pub brokers: String,
    /// After how many milliseconds without a sign of life a member of a consumer group is taken for dead; absent: 5,000 with
    /// the embedded transport, 10,000 with Kafka, whose brokers usually refuse less than 6,000.
    pub session_ms: Option<u64>,
}

/// Which transport carries messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A log in PostgreSQL; for one machine.
    #[default]
    Embedded,
    /// Apache Kafka.
    Kafka,
}

/// The HTTP listeners. Which of them a process opens follows from its roles; operations is always open.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Listen {
    /// For people: core, payment, inbound webhooks.
    pub public: SocketAddr,
    /// For staff.
    pub admin: SocketAddr,
    /// `/livez`, `/readyz`, `/metrics`.
    pub operations: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            public: local(8080),
            admin: local(8081),
            operations: local(9000),
        }
    }
}

/// Access tokens: core signs them, every role that serves people checks them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tokens {
    /// Ed25519 private key (PKCS#8 PEM); only core reads it.
    pub signing_key: Option<SecretFile>,
    /// Ed25519 public keys (PEM) that are accepted; two during a change of keys.
    pub verifying_keys: Vec<PathBuf>,
}

/// How payment reaches an engine in another process.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EngineAddress {
    /// Addresses of engine processes, such as `http://engine:9100`; any of them knows the owner.
    pub urls: Vec<String>,
    /// The file with the token that the engine expects.
    pub token_file: Option<SecretFile>,
}

/// The login role of a service.
pub fn login(role: Role) -> String {
    format!("ferrex_{}", role.name())
}
