use ferrex_fault::{Classify, FieldFault, Kind};

/// Why the registry was not changed, or has not what was asked for.
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
    /// There is no such network.
    #[error("there is no network \"{0}\"")]
    NetworkUnknown(String),
    /// There is no such asset.
    #[error("there is no asset \"{0}\"")]
    AssetUnknown(String),
    /// What cannot be changed was to be changed.
    #[error("{0} cannot be changed once it is registered")]
    Fixed(&'static str),
    /// It exists.
    #[error("{0} is registered already")]
    Exists(&'static str),
    /// The nodes do not answer as they should.
    #[error("the nodes of network \"{network}\" do not answer as they should: {reason}")]
    Nodes {
        /// The network.
        network: String,
        /// What they said.
        reason: String,
    },
    /// The token's contract says something else (F24).
    #[error("the contract says {contract}, the request {asked}")]
    DecimalsDiffer {
        /// Places by the contract.
        contract: String,
        /// Places by the request.
        asked: u8,
    },
}

impl Error {
    pub(crate) fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field {
            field,
            message: message.into(),
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } | Self::DecimalsDiffer { .. } => Kind::Invalid,
            Self::NetworkUnknown(_) | Self::AssetUnknown(_) => Kind::NotFound,
            Self::Fixed(_) | Self::Exists(_) | Self::Nodes { .. } => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "payment.registry.field",
            Self::NetworkUnknown(_) => "payment.network.not_found",
            Self::AssetUnknown(_) => "payment.asset.not_found",
            Self::Fixed(_) => "payment.registry.fixed",
            Self::Exists(_) => "payment.registry.exists",
            Self::Nodes { .. } => "payment.network.nodes",
            Self::DecimalsDiffer { .. } => "payment.asset.decimals_differ",
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
            Self::DecimalsDiffer { .. } => fault("decimals"),
            _ => Vec::new(),
        }
    }
}
