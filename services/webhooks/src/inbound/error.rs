use ferrex_fault::{Classify, Fault, Kind};
use ferrex_ids::InboundEventId;

use super::signature::Refusal;

/// Why an event was refused, or something failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings contradict each other.
    #[error("settings of webhooks: {0}")]
    Settings(String),
    /// A secret cannot be read.
    #[error("reading a secret of source `{name}`")]
    Secret {
        /// The source.
        name: String,
        /// Why.
        #[source]
        source: ferrex_settings::SecretError,
    },
    /// Nobody of this name tells us anything.
    #[error("there is no source of that name")]
    UnknownSource,
    /// The signature does not hold.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The body is signed and is not text.
    #[error("the body is not UTF-8")]
    NotText,
    /// There is no such event.
    #[error("there is no event {0}")]
    UnknownEvent(InboundEventId),
    /// There is no such refused event.
    #[error("there is no refused event {0}")]
    UnknownQuarantined(i64),
    /// The event is on its way already.
    #[error("event {0} is being forwarded")]
    UnderWay(InboundEventId),
    /// The sender used this event's id before, for another body.
    #[error("event {0} came with another body before")]
    OtherBody(InboundEventId),
    /// The flow failed.
    #[error("moving event {id} on: {fault}")]
    Flow {
        /// The event.
        id: InboundEventId,
        /// Why.
        fault: Box<Fault>,
    },
    /// The outbox failed.
    #[error("putting an event into the outbox")]
    Outbox(#[source] ferrex_bus::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] ferrex_postgres::Error),
}

impl Error {
    pub(crate) fn flow(id: InboundEventId) -> impl Fn(ferrex_flows::Error) -> Self {
        move |error| Self::Flow {
            id,
            fault: Box::new(error.into()),
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Settings(_) | Self::Secret { .. } => Kind::Internal,
            Self::UnknownSource | Self::UnknownEvent(_) | Self::UnknownQuarantined(_) => Kind::NotFound,
            Self::Refused(_) => Kind::Unauthenticated,
            Self::NotText => Kind::Invalid,
            Self::UnderWay(_) | Self::OtherBody(_) => Kind::Conflict,
            Self::Flow { fault, .. } => fault.kind,
            Self::Outbox(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "webhooks.settings",
            Self::Secret { .. } => "webhooks.secret",
            Self::UnknownSource => "webhooks.source.unknown",
            Self::Refused(refusal) => refusal.code(),
            Self::NotText => "webhooks.body.not_text",
            Self::UnknownEvent(_) => "webhooks.event.unknown",
            Self::UnknownQuarantined(_) => "webhooks.quarantined.unknown",
            Self::UnderWay(_) => "webhooks.event.under_way",
            Self::OtherBody(_) => "webhooks.event.other_body",
            Self::Flow { .. } => "webhooks.event.flow",
            Self::Outbox(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}
