use std::fmt;

use ferrex_fault::{Classify, Fault, Kind};
use rdkafka::error::KafkaError;

/// What went wrong on the bus.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker or its client refused something.
    #[error("{doing}")]
    Kafka {
        /// What was being attempted.
        doing: &'static str,
        /// The cause.
        #[source]
        source: KafkaError,
    },
    /// The database refused something: the service's own, or the embedded log's.
    #[error("using the database for messages")]
    Database(#[from] ferrex_postgres::Error),
    /// A topic does not exist and could not be created in time.
    #[error("topic {topic} does not exist")]
    TopicMissing {
        /// The topic.
        topic: String,
    },
    /// A message is larger than any transport takes.
    #[error("message of {bytes} bytes is larger than the {most} that can be sent")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The broker no longer has the position at which a group goes on: data was lost or expired unread.
    #[error("the broker no longer has the position of group {group}; reset it deliberately")]
    PositionLost {
        /// The group.
        group: String,
    },
    /// A body is not what its type says.
    #[error("decoding a message of type {message_type}")]
    Decode {
        /// The type it claims.
        message_type: String,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// No such message is parked.
    #[error("no message is parked under {id}")]
    NotParked {
        /// What was asked for.
        id: i64,
    },
    /// The bus was closed, or a part of it ended unexpectedly.
    #[error("the bus is closed")]
    Closed,
}

impl Error {
    pub(crate) fn kafka(doing: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Kafka { doing, source }
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(ferrex_postgres::Error::Query(source))
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Kafka { .. } | Self::TopicMissing { .. } | Self::Closed => Kind::Unavailable,
            Self::Database(error) => error.kind(),
            Self::TooLarge { .. } | Self::Decode { .. } => Kind::Invalid,
            Self::PositionLost { .. } => Kind::Internal,
            Self::NotParked { .. } => Kind::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Kafka { .. } => "bus.broker",
            Self::Database(error) => error.code(),
            Self::TopicMissing { .. } => "bus.topic.missing",
            Self::TooLarge { .. } => "bus.message.too_large",
            Self::PositionLost { .. } => "bus.position.lost",
            Self::Decode { .. } => "bus.message.undecodable",
            Self::NotParked { .. } => "bus.parked.not_found",
            Self::Closed => "bus.closed",
        }
    }
}

/// Why a request brought no answer of the kind that was hoped for.
#[derive(Debug)]
pub enum RequestError {
    /// The other side refused or failed; its fault as it came.
    Fault(Fault),
    /// No answer within the deadline. Whether the request took effect is not known.
    TimedOut,
    /// The request could not be sent, or its answer not be read. Whether it took effect is not known.
    Bus(Error),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "the request was answered with a fault: {fault}"),
            Self::TimedOut => f.write_str("the request was not answered in time"),
            Self::Bus(_) => f.write_str("the request could not be sent or its answer not be read"),
        }
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bus(error) => Some(error),
            Self::Fault(_) | Self::TimedOut => None,
        }
    }
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Bus(error)
    }
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Fault(fault) => fault,
            RequestError::TimedOut => Self::new(
                Kind::Unavailable,
                "bus.request.timed_out",
                "the answer did not come in time",
            ),
            RequestError::Bus(error) => Self::from(error),
        }
    }
}
