use ferrex_engine_core::Refusal;
use ferrex_fault::{Classify, FieldFault, Kind};

/// Why a market was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is wrong.
    #[error("{message}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// There is no such market.
    #[error("there is no market \"{0}\"")]
    NotFound(String),
    /// There is one with other terms.
    #[error("the market {0} exists already, and what it is cannot be changed")]
    Exists(String),
    /// All numbers are given.
    #[error("there are as many markets as there can be")]
    TooMany,
    /// The engine refuses it.
    #[error("the engine refuses it: {0}")]
    Refused(Refusal),
}

impl Error {
    pub(super) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field {
            field,
            message: message.into(),
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } => Kind::Invalid,
            Self::NotFound(_) => Kind::NotFound,
            Self::Exists(_) | Self::TooMany | Self::Refused(_) => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "payment.market.field",
            Self::NotFound(_) => "payment.market.not_found",
            Self::Exists(_) => "payment.market.exists",
            Self::TooMany => "payment.market.too_many",
            Self::Refused(_) => "payment.market.refused",
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        match self {
            Self::Field { field, .. } => vec![FieldFault {
                field: (*field).to_owned(),
                message: self.to_string(),
            }],
            _ => Vec::new(),
        }
    }
}
