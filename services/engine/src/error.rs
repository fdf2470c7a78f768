use ferrex_engine_core::ReplayError;
use ferrex_fault::{Classify, Kind};

/// What can go wrong with the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed or is away.
    #[error(transparent)]
    Database(#[from] ferrex_postgres::Error),
    /// A batch was refused: another epoch writes, or the journal ends elsewhere.
    #[error("epoch {epoch} may not write after row {previous}")]
    Fenced {
        /// The epoch of the writer.
        epoch: u64,
        /// The row it took for the journal's end.
        previous: u64,
    },
    /// Another process has the lease.
    #[error("the lease of epoch {epoch} is lost")]
    LeaseLost {
        /// The epoch it was for.
        epoch: u64,
    },
    /// The projection in the database is ahead of this process, which therefore is not the owner any more.
    #[error("the projection is not at row {from} to {to}")]
    ProjectionSuperseded {
        /// The row it was expected to be at or beyond.
        from: u64,
        /// The row it was expected to be before.
        to: u64,
    },
    /// The journal or the projection cannot be replayed.
    #[error("replaying the journal")]
    Replay(#[from] ReplayError),
    /// A stored value is outside of what this program writes.
    #[error("reading {what} of {row}")]
    Stored {
        /// The column.
        what: &'static str,
        /// Which row.
        row: String,
    },
    /// Rows are not those of the columns that are read.
    #[error("reading rows")]
    Copied(#[from] ferrex_postgres::CopyError),
    /// The bus did not take the journal's events.
    #[error("publishing the journal")]
    Publish(#[source] ferrex_bus::Error),
    /// The internal listener could not be opened.
    #[error("listening on {address}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The settings do not fit each other.
    #[error("{0}")]
    Settings(&'static str),
    /// The token cannot be read.
    #[error("reading the engine's token")]
    Token(#[from] ferrex_settings::SecretError),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Database(source) => source.kind(),
            Self::Fenced { .. }
            | Self::LeaseLost { .. }
            | Self::ProjectionSuperseded { .. }
            | Self::Publish(_) => Kind::Unavailable,
            Self::Replay(_) | Self::Stored { .. } | Self::Copied(_) | Self::Listen { .. } => Kind::Internal,
            Self::Settings(_) | Self::Token(_) => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Database(source) => source.code(),
            Self::Fenced { .. } | Self::LeaseLost { .. } | Self::ProjectionSuperseded { .. } => {
                "engine.lease.lost"
            }
            Self::Replay(_) | Self::Stored { .. } | Self::Copied(_) => "engine.journal.damaged",
            Self::Publish(_) => "engine.relay.unavailable",
            Self::Listen { .. } => "engine.listener.unavailable",
            Self::Settings(_) | Self::Token(_) => "engine.settings.invalid",
        }
    }
}

/// Names what a statement was for.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        Ok(ferrex_postgres::SqlResult::doing(self, doing)?)
    }
}

/// The whole chain of causes, for a log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        // A transparent error prints its cause's text.
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = error.source();
    }
    text
}
