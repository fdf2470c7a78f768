use ferrex_fault::{Classify, Kind};

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the database cannot be read.
    #[error("reading the database address")]
    Address(#[source] sqlx::Error),
    /// No connection could be had.
    #[error("connecting to PostgreSQL")]
    Connect(#[source] sqlx::Error),
    /// A transaction could not be begun.
    #[error("beginning a transaction")]
    Begin(#[source] sqlx::Error),
    /// A transaction could not be committed. Whether it was is not known when the connection broke.
    #[error("committing a transaction")]
    Commit(#[source] sqlx::Error),
    /// A statement failed.
    #[error("{doing}")]
    Statement {
        /// What was being attempted.
        doing: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A statement failed, and nobody said what it was for.
    #[error("asking the database")]
    Query(#[from] sqlx::Error),
    /// A schema, its role or its grants could not be set up.
    #[error("{doing} for schema \"{schema}\"")]
    Provision {
        /// The schema.
        schema: String,
        /// What was being attempted.
        doing: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed; nothing of it was kept.
    #[error("applying migration {set} {version} ({name}) to schema \"{schema}\"")]
    Migration {
        /// The schema.
        schema: String,
        /// The set the migration is of.
        set: &'static str,
        /// Its number.
        version: i64,
        /// Its name.
        name: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// A migration that was applied before now has another text.
    #[error(
        "migration {set} {version} ({name}) of schema \"{schema}\" was edited after it had been applied: applied text has \
         checksum {applied}, this program's has {ours}; restore it and add a new migration instead"
    )]
    MigrationEdited {
        /// The schema.
        schema: String,
        /// The set the migration is of.
        set: &'static str,
        /// Its number.
        version: i64,
        /// Its name.
        name: &'static str,
        /// Checksum of the text that was applied.
        applied: String,
        /// Checksum of the text this program carries.
        ours: String,
    },
    /// Two migrations of one set have numbers that do not rise.
    #[error("migrations of set {set} must have rising numbers, {version} does not follow {before}")]
    MigrationOrder {
        /// The set.
        set: &'static str,
        /// The number at fault.
        version: i64,
        /// The number before it.
        before: i64,
    },
}

impl Error {
    /// The driver's own error, if there is one.
    pub fn driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Address(source)
            | Self::Connect(source)
            | Self::Begin(source)
            | Self::Commit(source)
            | Self::Query(source)
            | Self::Statement { source, .. }
            | Self::Provision { source, .. }
            | Self::Migration { source, .. } => Some(source),
            Self::MigrationEdited { .. } | Self::MigrationOrder { .. } => None,
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self.driver() {
            Some(source) if is_transient(source) => Kind::Unavailable,
            _ => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self.kind() {
            Kind::Unavailable => "postgres.unavailable",
            _ => "postgres.internal",
        }
    }
}

/// Says what a statement was for, so that its failure can be read.
pub trait SqlResult<T> {
    /// Turns the driver's error into ours, with what was being attempted ("reading the deposit").
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> SqlResult<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Statement { doing, source })
    }
}

/// The name of the constraint or unique index that a statement violated.
pub fn constraint_name(error: &sqlx::Error) -> Option<&str> {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint)
}

/// Whether a statement violated this unique constraint or index.
pub fn is_unique_violation(error: &sqlx::Error, constraint: &str) -> bool {
    error
        .as_database_error()
        .is_some_and(|database| database.is_unique_violation() && database.constraint() == Some(constraint))
}

/// Whether the same work may succeed later without a change: the server is away, full, starting, or chose this
/// transaction to give way to another.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            // 08 connection, 40 rollback (serialisation, deadlock), 53 resources, 57 operator intervention, 58 I/O;
            // 55P03 lock not available, 25006 read-only (a standby), 25P03 idle too long in a transaction
            matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58"))
                || matches!(&*code, "55P03" | "25006" | "25P03")
        }),
        _ => false,
    }
}
