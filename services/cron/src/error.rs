use ferrex_fault::{Classify, FieldFault, Kind};

/// Why cron refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings contradict each other.
    #[error("settings of cron: {0}")]
    Settings(&'static str),
    /// Not a cron expression.
    #[error("`{expression}` is no schedule: {reason}")]
    Expression {
        /// As given.
        expression: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// Not a time zone.
    #[error("`{0}` is no time zone such as Europe/Zurich or UTC")]
    TimeZone(String),
    /// No schedule has this job.
    #[error("there is no job `{0}`")]
    UnknownJob(String),
    /// A stored schedule cannot be read.
    #[error("reading the stored schedule of `{job}`")]
    Stored {
        /// Its job.
        job: String,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] ferrex_postgres::Error),
    /// The outbox failed.
    #[error("putting a tick into the outbox")]
    Outbox(#[source] ferrex_bus::Error),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Expression { .. } | Self::TimeZone(_) => Kind::Invalid,
            Self::UnknownJob(_) => Kind::NotFound,
            Self::Settings(_) | Self::Stored { .. } => Kind::Internal,
            Self::Database(error) => error.kind(),
            Self::Outbox(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "cron.settings",
            Self::Expression { .. } => "cron.schedule.expression",
            Self::TimeZone(_) => "cron.schedule.time_zone",
            Self::UnknownJob(_) => "cron.schedule.unknown",
            Self::Stored { .. } => "cron.schedule.unreadable",
            Self::Database(error) => error.code(),
            Self::Outbox(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        let field = match self {
            Self::Expression { .. } => "expression",
            Self::TimeZone(_) => "time_zone",
            _ => return Vec::new(),
        };
        vec![FieldFault {
            field: field.to_owned(),
            message: self.to_string(),
        }]
    }
}
