use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferrex_engine_core::{Answer, Balance, Command};
use ferrex_ids::HoldId;
use ferrex_ledger::Owner;
use ferrex_time::Timestamp;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout_at};

use crate::wire::{self, BalancesOf, COMMANDS_MAX, ExpiredHolds, Misdirected};
use crate::{DEADLINE, Unknown};

/// How many commands may wait for the next request.
const QUEUE: usize = 16_384;
/// How long to wait before the next address is tried.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the engine is and how to be let in.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// Base addresses of the processes that may own the ledger, such as `http://engine-0:9100`.
    pub addresses: Vec<String>,
    /// The caller's service token.
    pub token: SecretString,
    /// How long a call may take in all, over every attempt.
    pub deadline: Duration,
    /// How long one attempt may take before the next address is tried.
    pub attempt: Duration,
}

impl RemoteConfig {
    /// The usual deadlines.
    pub fn new(addresses: Vec<String>, token: SecretString) -> Self {
        Self {
            addresses,
            token,
            deadline: DEADLINE,
            attempt: Duration::from_secs(5),
        }
    }
}

/// Why a remote client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No address was given.
    #[error("the engine needs at least one address")]
    NoAddress,
    /// The HTTP client cannot be built.
    #[error("building the engine's HTTP client")]
    Client(#[source] reqwest::Error),
}

/// Sends submissions to the owner in another process.
#[derive(Clone)]
pub struct RemoteClient {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Pending>,
}

impl fmt::Debug for RemoteClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteClient")
            .field("addresses", &self.shared.config.addresses)
            .finish_non_exhaustive()
    }
}

struct Pending {
    command: Command,
    until: Instant,
    reply: oneshot::Sender<Answer>,
}

struct Shared {
    http: reqwest::Client,
    config: RemoteConfig,
    target: Mutex<Target>,
}

/// Where the next request goes: the owner if one was named, else the configured addresses in turn.
struct Target {
    owner: Option<String>,
    next: usize,
}

/// Why one attempt gave no answer.
enum Failed {
    /// The owner is elsewhere.
    Misdirected,
    /// It may have been done or not.
    Unanswered(String),
    /// It was refused for a reason that another attempt does not cure.
    Refused(String),
}

impl RemoteClient {
    pub(crate) fn new(config: RemoteConfig) -> Result<Self, RemoteError> {
        if config.addresses.is_empty() {
            return Err(RemoteError::NoAddress);
        }
        // A provider that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .http2_prior_knowledge()
            .connect_timeout(Duration::from_secs(2))
            .timeout(config.attempt)
            .http2_keep_alive_interval(Duration::from_secs(2))
            .http2_keep_alive_timeout(Duration::from_secs(4))
            .no_proxy()
            .build()
            .map_err(RemoteError::Client)?;
        let target = Mutex::new(Target { owner: None, next: 0 });
        let shared = Arc::new(Shared { http, config, target });
        let (commands, queue) = mpsc::channel(QUEUE);
        tokio::spawn(send_batches(Arc::clone(&shared), queue));
        Ok(Self { shared, commands })
    }

    /// Has a command decided.
    pub async fn submit(&self, command: Command) -> Result<Answer, Unknown> {
        let until = Instant::now() + self.shared.config.deadline;
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            let pending = Pending {
                command,
                until,
                reply,
            };
            self.commands
                .send(pending)
                .await
                .map_err(|_| Unknown::because("the engine's client has stopped"))?;
            answer
                .await
                .map_err(|_| Unknown::because("the engine did not answer"))
        };
        timeout_at(until, exchange)
            .await
            .unwrap_or_else(|_| Err(Unknown::because("no answer in time")))
    }

    /// What an owner has.
    pub async fn balances(&self, owner: Owner) -> Result<Vec<Balance>, Unknown> {
        self.shared.ask(wire::BALANCES, &BalancesOf { owner }).await
    }

    /// Open holds that may expire.
    pub async fn expired_holds(&self, now: Timestamp, limit: usize) -> Result<Vec<HoldId>, Unknown> {
        self.shared
            .ask(wire::EXPIRED_HOLDS, &ExpiredHolds { now, limit })
            .await
    }
}

/// Sends what has gathered, one request at a time, so that the next batch gathers meanwhile.
async fn send_batches(shared: Arc<Shared>, mut queue: mpsc::Receiver<Pending>) {
    let mut waiting: Vec<Pending> = Vec::new();
    loop {
        if waiting.is_empty() && queue.recv_many(&mut waiting, COMMANDS_MAX).await == 0 {
            return;
        }
        while waiting.len() < COMMANDS_MAX {
            let Ok(pending) = queue.try_recv() else { break };
            waiting.push(pending);
        }
        let now = Instant::now();
        // A caller whose time is over has its answer already: unknown.
        waiting.retain(|pending| pending.until > now && !pending.reply.is_closed());
        if waiting.is_empty() {
            continue;
        }
        let commands: Vec<&Command> = waiting.iter().map(|pending| &pending.command).collect();
        match shared
            .post::<_, Vec<Option<Answer>>>(wire::COMMANDS, &commands)
            .await
        {
            Ok(answers) if answers.len() == waiting.len() => {
                let mut unknown = Vec::new();
                for (pending, answer) in waiting.drain(..).zip(answers) {
                    match answer {
                        // The caller may have gone; the command stands all the same.
                        Some(answer) => drop(pending.reply.send(answer)),
                        None => unknown.push(pending),
                    }
                }
                waiting = unknown;
                if !waiting.is_empty() {
                    sleep(PAUSE).await;
                }
            }
            Ok(_) => {
                tracing::error!("the engine answered another number of outcomes than commands were sent");
                waiting.clear();
            }
            Err(Failed::Misdirected) => sleep(PAUSE).await,
            Err(Failed::Unanswered(reason)) => {
                tracing::debug!(
                    reason,
                    commands = waiting.len(),
                    "the engine did not answer, sending again"
                );
                sleep(PAUSE).await;
            }
            Err(Failed::Refused(reason)) => {
                tracing::error!(reason, "the engine refused a batch");
                waiting.clear();
            }
        }
    }
}

impl Shared {
    /// Asks until there is an answer or the deadline is over.
    async fn ask<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Unknown> {
        let until = Instant::now() + self.config.deadline;
        let attempts = async {
            loop {
                match self.post(path, body).await {
                    Ok(answer) => return Ok(answer),
                    Err(Failed::Refused(reason)) => return Err(Unknown::because(reason)),
                    Err(Failed::Misdirected | Failed::Unanswered(_)) => sleep(PAUSE).await,
                }
            }
        };
        timeout_at(until, attempts)
            .await
            .unwrap_or_else(|_| Err(Unknown::because("no answer in time")))
    }

    /// One attempt, at the owner as far as it is known.
    async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, Failed> {
        let target = self.target();
        let sent = self
            .http
            .post(format!("{target}{path}"))
            .bearer_auth(self.config.token.expose_secret())
            .json(body)
            .send()
            .await;
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                self.turn_from(&target, None);
                return Err(Failed::Unanswered(format!("{target}: {error}")));
            }
        };
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|error| {
                self.turn_from(&target, None);
                Failed::Unanswered(format!("{target}: {error}"))
            }),
            StatusCode::MISDIRECTED_REQUEST => {
                let owner = response
                    .json::<Misdirected>()
                    .await
                    .ok()
                    .and_then(|misdirected| misdirected.owner);
                self.turn_from(&target, owner);
                Err(Failed::Misdirected)
            }
            status if status.is_client_error() => Err(Failed::Refused(format!("{target} answered {status}"))),
            status => {
                self.turn_from(&target, None);
                Err(Failed::Unanswered(format!("{target} answered {status}")))
            }
        }
    }

    fn target(&self) -> String {
        let target = self
            .target
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let addresses = &self.config.addresses;
        target
            .owner
            .clone()
            .unwrap_or_else(|| addresses[target.next % addresses.len()].clone())
    }

    /// Leaves an address that did not serve, unless another call has left it already.
    fn turn_from(&self, left: &str, owner: Option<String>) {
        let mut target = self
            .target
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let addresses = &self.config.addresses;
        let current = target
            .owner
            .as_deref()
            .unwrap_or(&addresses[target.next % addresses.len()]);
        if current == left {
            target.owner = owner.filter(|owner| owner != left);
            if target.owner.is_none() {
                target.next = target.next.wrapping_add(1);
            }
        }
    }
}
