//! Hands each role its dependencies. One small function a role; none of them decides anything.

mod admin;
mod core;
mod cron;
mod engine;
mod health;
mod notifications;
mod payment;
mod signer;
mod webhooks;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use ferrex_bus::{Bus, BusConfig, EmbeddedConfig, KafkaConfig, TransportConfig};
use ferrex_engine_client::EngineClient;
use ferrex_fault::Fault;
use ferrex_postgres::Db;
use ferrex_runtime::{CancellationToken, Readiness, ReadyFlag, Shutdown};
use ferrex_time::{SharedClock, SystemClock};
use ferrex_web::{OpenApiRouter, TokenVerifier};

use crate::role::Role;
use crate::settings::{Settings, Transport, login};

/// A process being put together.
pub struct Process {
    /// All settings.
    pub settings: Settings,
    /// The time.
    pub clock: SharedClock,
    /// What is missing.
    pub readiness: Readiness,
    /// Who is asked to stop.
    pub shutdown: Shutdown,
    /// Routes for people.
    pub public: Vec<OpenApiRouter>,
    /// Routes for staff.
    pub admin: Vec<OpenApiRouter>,
    /// Checks access tokens; made once, so that a revocation reaches all.
    pub tokens: Option<TokenVerifier>,
    /// The engine, when it runs in this process.
    pub engine: Option<EngineClient>,
    /// Missing from the beginning, so that nobody is sent here while roles are added.
    listeners: ReadyFlag,
    buses: Vec<Bus>,
    databases: Vec<Db>,
    failed: Arc<AtomicBool>,
}

/// What every role needs.
pub struct Parts {
    /// Its database.
    pub db: Db,
    /// Its bus.
    pub bus: Bus,
}

/// The shortest session of a consumer group: its heartbeats are a fifth of it.
const SESSION_MIN: Duration = Duration::from_millis(500);

/// Connects to the bus as a service.
pub async fn bus(settings: &Settings, service: &str) -> anyhow::Result<Bus> {
    let session = settings.bus.session_ms.map(Duration::from_millis);
    anyhow::ensure!(
        session.is_none_or(|session| session >= SESSION_MIN),
        "bus.session_ms must be at least {}",
        SESSION_MIN.as_millis()
    );
    let transport = match settings.bus.transport {
        Transport::Embedded => {
            let schema = &ferrex_bus::EMBEDDED;
            let database = settings.database.of_role(schema.role, schema.schema)?;
            let mut config = EmbeddedConfig::new(database);
            config.session_timeout = session.unwrap_or(config.session_timeout);
            TransportConfig::Embedded(config)
        }
        Transport::Kafka => {
            anyhow::ensure!(
                !settings.bus.brokers.is_empty(),
                "bus.brokers is needed with bus.transport = \"kafka\""
            );
            let mut config = KafkaConfig::new(settings.bus.brokers.clone());
            config.session_timeout = session.unwrap_or(config.session_timeout);
            TransportConfig::Kafka(config)
        }
    };
    Ok(Bus::connect(&BusConfig::new(service, transport), SystemClock::shared()).await?)
}

/// A fault as an error, with its causes.
#[expect(clippy::needless_pass_by_value, reason = "it is made for map_err")]
fn refused(fault: Fault) -> anyhow::Error {
    anyhow::anyhow!("{} ({})", fault.chain(), fault.code)
}

impl Process {
    /// A process without roles.
    pub fn new(settings: Settings, shutdown: Shutdown) -> Self {
        let readiness = Readiness::new();
        Self {
            settings,
            clock: SystemClock::shared(),
            listeners: readiness.register("listeners"),
            readiness,
            shutdown,
            public: Vec::new(),
            admin: Vec::new(),
            tokens: None,
            engine: None,
            buses: Vec::new(),
            databases: Vec::new(),
            failed: Arc::default(),
        }
    }

    /// Adds roles, in the order in which they depend on each other.
    pub async fn add_all(&mut self, roles: &[Role]) -> anyhow::Result<()> {
        for role in Role::ALL.into_iter().filter(|role| roles.contains(role)) {
            let added = match role {
                Role::Engine => engine::add(self).await,
                Role::Signer => signer::add(self).await,
                Role::Core => core::add(self).await,
                Role::Payment => payment::add(self).await,
                Role::Notifications => notifications::add(self).await,
                Role::Webhooks => webhooks::add(self).await,
                Role::Cron => cron::add(self).await,
                Role::Admin => admin::add(self).await,
            };
            added.with_context(|| format!("starting role {role}"))?;
        }
        self.watch_health();
        Ok(())
    }

    /// Everything that the roles serve can be called.
    pub fn listens(&self) {
        self.listeners.set_ready();
    }

    /// Connects a role to its database and the bus.
    async fn parts(&mut self, role: Role) -> anyhow::Result<Parts> {
        let db = Db::connect(&self.settings.database.of_role(&login(role), role.name())?).await?;
        let bus = bus(&self.settings, role.name()).await?;
        self.buses.push(bus.clone());
        self.databases.push(db.clone());
        Ok(Parts { db, bus })
    }

    /// The verifier of access tokens, from the configured public keys.
    fn token_verifier(&mut self) -> anyhow::Result<TokenVerifier> {
        if let Some(tokens) = &self.tokens {
            return Ok(tokens.clone());
        }
        let paths = &self.settings.tokens.verifying_keys;
        anyhow::ensure!(!paths.is_empty(), "tokens.verifying_keys names no file");
        let mut keys = Vec::new();
        for path in paths {
            let pem = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            keys.push(
                ferrex_web::PublicKey::from_pem(&pem)
                    .with_context(|| format!("reading {}", path.display()))?,
            );
        }
        let tokens = TokenVerifier::new(keys, self.clock.clone());
        self.tokens = Some(tokens.clone());
        Ok(tokens)
    }

    /// Runs a role until the shutdown. A role that ends with an error takes the process with it: whoever supervises
    /// the process starts it again, and a half-running process helps nobody.
    fn run<F, E>(&self, role: Role, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let (shutdown, failed) = (self.shutdown.clone(), Arc::clone(&self.failed));
        // In a task of its own, so that a panic is seen here.
        let work = tokio::spawn(work(self.shutdown.token()));
        self.shutdown.spawn(async move {
            let error = match work.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => anyhow::Error::from(error),
                Err(panic) => anyhow::Error::from(panic),
            };
            tracing::error!(%role, error = format!("{error:#}"), "role ended");
            failed.store(true, Ordering::Release);
            shutdown.request();
        });
    }

    /// Whether a role has ended with an error.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Runs a role that looks after its own failures until the shutdown.
    fn run_endless<F>(&self, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shutdown.spawn(work(self.shutdown.token()));
    }

    /// Ends the connections to the bus, after all roles have ended.
    pub async fn close(self) {
        for bus in self.buses {
            bus.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_a_process_before_it_listens() {
        let process = Process::new(Settings::default(), Shutdown::new());
        assert!(!process.readiness.is_ready(), "no role has been added yet");
        process.listens();
        assert!(process.readiness.is_ready());
    }
}
