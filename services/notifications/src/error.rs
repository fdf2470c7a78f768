use ferrex_fault::{Classify, Kind};
use ferrex_ids::DeliveryId;

/// What can go wrong in this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("setting notifications.{name}: {problem}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
    /// The mail server's password cannot be read.
    #[error("reading the password of the mail server")]
    Password(#[from] ferrex_settings::SecretError),
    /// The mail server's certificate cannot be checked.
    #[error("preparing encryption towards the mail server")]
    Encryption(#[source] lettre::transport::smtp::Error),
    /// A template of the program itself is broken.
    #[error("reading template {name}")]
    TemplateSource {
        /// Its file.
        name: String,
        /// Why.
        #[source]
        source: minijinja::Error,
    },
    /// There is no such template.
    #[error("there is no template \"{name}\"")]
    TemplateUnknown {
        /// What was asked for.
        name: String,
    },
    /// The values given do not fit the template.
    #[error("template \"{name}\": {problem}")]
    TemplateValues {
        /// The template.
        name: String,
        /// What is missing or wrong; names values, never shows them.
        problem: String,
    },
    /// There is no such delivery.
    #[error("there is no delivery {0}")]
    DeliveryUnknown(DeliveryId),
    /// The cursor of a list is not one of ours.
    #[error("the cursor is not one that a page has given")]
    Cursor,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] ferrex_postgres::Error),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::TemplateUnknown { .. } | Self::TemplateValues { .. } | Self::Cursor => Kind::Invalid,
            Self::DeliveryUnknown(_) => Kind::NotFound,
            Self::Database(error) => error.kind(),
            Self::Setting { .. } | Self::Password(_) | Self::Encryption(_) | Self::TemplateSource { .. } => {
                Kind::Internal
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Setting { .. } | Self::Password(_) | Self::Encryption(_) => "notifications.settings",
            Self::TemplateSource { .. } => "notifications.template.broken",
            Self::TemplateUnknown { .. } => "notifications.template.unknown",
            Self::TemplateValues { .. } => "notifications.template.values",
            Self::DeliveryUnknown(_) => "notifications.delivery.not_found",
            Self::Cursor => "notifications.cursor.malformed",
            Self::Database(error) => error.code(),
        }
    }
}
