use ferrex_fault::{Classify, Kind};

/// What can be wrong with a submission or a decision.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One waits already.
    #[error("a submission waits for a decision already")]
    Waiting,
    /// The level is reached.
    #[error("this identity level is reached already")]
    Reached,
    /// No such submission.
    #[error("there is no such submission")]
    NotFound,
    /// Somebody decided before.
    #[error("this submission was decided already, look at it again")]
    Decided,
    /// The provider speaks of a submission that is not here, or not here yet.
    #[error("the identity provider speaks of a submission that is not known (yet): {0}")]
    Early(String),
    /// The provider's message is not what it should be.
    #[error("the message of the identity provider cannot be read: {0}")]
    Unreadable(String),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Waiting | Self::Reached | Self::Decided => Kind::Conflict,
            Self::NotFound => Kind::NotFound,
            Self::Early(_) => Kind::Unavailable,
            Self::Unreadable(_) => Kind::Invalid,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Waiting => "core.verification.waiting",
            Self::Reached => "core.verification.reached",
            Self::NotFound => "core.verification.not_found",
            Self::Decided => "core.verification.decided",
            Self::Early(_) => "core.verification.early",
            Self::Unreadable(_) => "core.verification.unreadable",
        }
    }
}
