use ferrex_fault::{Classify, FieldFault, Kind};

/// Why a transfer cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or somebody else's.
    #[error("there is no such transfer")]
    NotFound,
    /// A field is wrong.
    #[error("{message}")]
    Field {
        /// Stable code.
        code: &'static str,
        /// Which field.
        field: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// Staff stopped the payer's money.
    #[error("money cannot leave this account at present; please contact support")]
    Frozen,
    /// A reversed deposit has not been made good.
    #[error("a deposit that vanished from its chain is still owed; deposit the difference first")]
    Owing,
    /// The receiver's account takes no money.
    #[error("this person cannot receive money at present")]
    CannotReceive,
    /// There is not enough.
    #[error("there is not enough {0} available")]
    Insufficient(String),
}

impl Error {
    pub(super) fn field(code: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self::Field {
            code,
            field,
            message: message.into(),
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Field { .. } => Kind::Invalid,
            Self::Frozen => Kind::Forbidden,
            Self::Owing | Self::CannotReceive | Self::Insufficient(_) => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "payment.transfer.not_found",
            Self::Field { code, .. } => code,
            Self::Frozen => "payment.account.frozen",
            Self::Owing => "payment.account.owing",
            Self::CannotReceive => "payment.transfer.cannot_receive",
            Self::Insufficient(_) => "payment.insufficient_available",
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        let fault = |field: &str| {
            vec![FieldFault {
                field: field.to_owned(),
                message: self.to_string(),
            }]
        };
        match self {
            Self::Field { field, .. } => fault(field),
            Self::Insufficient(_) => fault("amount"),
            _ => Vec::new(),
        }
    }
}
