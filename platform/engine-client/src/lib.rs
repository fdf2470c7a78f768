//! How the rest of the platform reaches the engine: in process or across processes, with the same promises.
//!
//! An answer means committed. No answer ([`Unknown`]) means just that: the command may have happened or not, and the
//! same command with the same id may be sent again until there is an answer.
//!
//! - [`EngineClient::local`] hands submissions to an engine service in the same process.
//! - [`EngineClient::remote`] sends them over HTTP/2 to the owner, in batches while a request is in flight, and follows
//!   the owner when it changes (a process that is not the owner answers 421 with the owner's address).

mod local;
mod remote;
pub mod wire;

use std::time::Duration;

use ferrex_engine_core::{Answer, Balance, Command, Outcome};
use ferrex_fault::{Classify, Kind};
use ferrex_ids::HoldId;
use ferrex_ledger::Owner;
use ferrex_time::Timestamp;
use tokio::sync::oneshot;

pub use local::LocalClient;
pub use remote::{RemoteClient, RemoteConfig, RemoteError};

/// How long a call waits for its answer before it is [`Unknown`].
pub const DEADLINE: Duration = Duration::from_secs(10);

/// No answer came: the outcome is not known. Send the same command id again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine's answer is not known: {reason}")]
pub struct Unknown {
    /// Why there is no answer.
    pub reason: String,
}

impl Unknown {
    /// No answer, for this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

impl Classify for Unknown {
    fn kind(&self) -> Kind {
        Kind::Unavailable
    }
    fn code(&self) -> &'static str {
        "engine.outcome.unknown"
    }
}

/// What the engine service receives. A dropped reply tells the caller that the outcome is unknown.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all submissions are commands, and a box for each would cost more than the room in the queue"
)]
pub enum Submission {
    /// Decide a command; answered after its commit.
    Command {
        /// The command.
        command: Command,
        /// Takes the outcome.
        reply: oneshot::Sender<Answer>,
    },
    /// What an owner has; answered when all it rests on is committed.
    Balances {
        /// The owner.
        owner: Owner,
        /// Takes the balances, in the order the accounts were opened.
        reply: oneshot::Sender<Vec<Balance>>,
    },
    /// Open holds that may expire; answered when all it rests on is committed.
    ExpiredHolds {
        /// The moment to compare with.
        now: Timestamp,
        /// The most to answer.
        limit: usize,
        /// Takes the holds, the oldest expiry first.
        reply: oneshot::Sender<Vec<HoldId>>,
    },
}

/// The way to the engine.
#[derive(Clone, Debug)]
pub enum EngineClient {
    /// In the same process.
    Local(LocalClient),
    /// In another process.
    Remote(RemoteClient),
}

impl EngineClient {
    /// A client for an engine service in this process, and what the service reads from.
    pub fn local() -> (Self, tokio::sync::mpsc::Receiver<Submission>) {
        let (client, submissions) = LocalClient::new();
        (Self::Local(client), submissions)
    }

    /// A client for an engine service elsewhere. Must be called within a tokio runtime.
    pub fn remote(config: RemoteConfig) -> Result<Self, RemoteError> {
        RemoteClient::new(config).map(Self::Remote)
    }

    /// Has a command decided. An answer means committed; on [`Unknown`] send the same command again.
    pub async fn submit(&self, command: Command) -> Result<Outcome, Unknown> {
        self.answer(command).await.map(|answer| answer.outcome)
    }

    /// As [`Self::submit`], with what became of the order if the command placed one. Of a repeat there is no report, for the
    /// order may have moved on; read it where orders are shown.
    pub async fn answer(&self, command: Command) -> Result<Answer, Unknown> {
        match self {
            Self::Local(client) => client.submit(command).await,
            Self::Remote(client) => client.submit(command).await,
        }
    }

    /// What an owner has, each with the journal id up to which it is true.
    pub async fn balances(&self, owner: Owner) -> Result<Vec<Balance>, Unknown> {
        match self {
            Self::Local(client) => client.balances(owner).await,
            Self::Remote(client) => client.balances(owner).await,
        }
    }

    /// Open holds that may expire at `now`, the oldest expiry first.
    pub async fn expired_holds(&self, now: Timestamp, limit: usize) -> Result<Vec<HoldId>, Unknown> {
        match self {
            Self::Local(client) => client.expired_holds(now, limit).await,
            Self::Remote(client) => client.expired_holds(now, limit).await,
        }
    }
}
