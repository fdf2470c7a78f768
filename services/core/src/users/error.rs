use ferrex_fault::{Classify, FieldFault, Kind};
use ferrex_ids::UserId;

/// What can be wrong with a person's record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such person.
    #[error("there is no such user")]
    NotFound,
    /// Staff stopped the person's money.
    #[error("the account is frozen: money cannot be moved until support lifts it")]
    Frozen,
    /// Two changes met.
    #[error("user {0} was changed by somebody else at the same moment")]
    Raced(UserId),
    /// A page was asked for in a way that cannot be.
    #[error("{message}")]
    Page {
        /// The field at fault.
        field: &'static str,
        /// What is wrong and what is allowed.
        message: &'static str,
    },
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Frozen => Kind::Forbidden,
            Self::Raced(_) => Kind::Conflict,
            Self::Page { .. } => Kind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "core.user.not_found",
            Self::Frozen => "core.user.frozen",
            Self::Raced(_) => "core.user.raced",
            Self::Page { .. } => "core.input.invalid",
        }
    }
    fn fields(&self) -> Vec<FieldFault> {
        match self {
            Self::Page { field, message } => {
                vec![FieldFault {
                    field: (*field).to_owned(),
                    message: (*message).to_owned(),
                }]
            }
            _ => Vec::new(),
        }
    }
}
