use ferrex_fault::{Classify, Fault, Kind};
use ferrex_ids::FlowId;

/// Why a flow was not started or did not take an input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no flow of this kind and id.
    #[error("there is no {kind} flow {id}")]
    NotFound {
        /// The kind.
        kind: &'static str,
        /// The id.
        id: FlowId,
    },
    /// The flow's present state does not take the input. Nothing has changed.
    #[error("flow {id} refused an input: {fault}")]
    Refused {
        /// The flow.
        id: FlowId,
        /// What its step answered.
        fault: Box<Fault>,
    },
    /// The step takes back an effect that a worker has claimed already. Nothing has changed.
    #[error("effect \"{name}\" of flow {id} is under way and cannot be taken back")]
    EffectClaimed {
        /// The flow.
        id: FlowId,
        /// The effect.
        name: String,
    },
    /// A stored state, input or action has a form that this program does not know.
    #[error("reading the stored {what} of flow {id}")]
    Unreadable {
        /// The flow.
        id: FlowId,
        /// What was read.
        what: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A state, input, action or message cannot be written as JSON.
    #[error("writing the {what} of flow {id}")]
    Unwritable {
        /// The flow.
        id: FlowId,
        /// What was written.
        what: &'static str,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A published message could not be put into the outbox.
    #[error("putting a message of flow {id} into the outbox: {fault}")]
    Outbox {
        /// The flow.
        id: FlowId,
        /// The cause.
        fault: Box<Fault>,
    },
    /// The service's own table could not follow the step.
    #[error("projecting flow {id}: {fault}")]
    Projection {
        /// The flow.
        id: FlowId,
        /// The cause.
        fault: Box<Fault>,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] ferrex_postgres::Error),
}

impl Error {
    /// Whether the same call may succeed later without a change: only then is an outcome tried again instead of parked.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Database(error) => error.kind() == Kind::Unavailable,
            Self::Outbox { fault, .. } | Self::Projection { fault, .. } => fault.kind == Kind::Unavailable,
            _ => false,
        }
    }
}

impl From<Error> for Fault {
    /// A refusal leaves as the fault that the step gave, so that a caller sees the service's own code.
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { fault, .. } | Error::Outbox { fault, .. } | Error::Projection { fault, .. } => {
                *fault
            }
            Error::Database(error) => error.into(),
            Error::NotFound { .. } => Self::new(Kind::NotFound, "flows.not_found", error.to_string()),
            Error::EffectClaimed { .. } => {
                Self::new(Kind::Conflict, "flows.effect_claimed", error.to_string())
            }
            Error::Unreadable { .. } | Error::Unwritable { .. } => {
                Self::new(Kind::Internal, "flows.unreadable", error.to_string()).with_source(error)
            }
        }
    }
}
