use ferrex_fault::{Classify, Kind};

/// What can be wrong with an approval.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No withdrawal of this id ever waited for staff.
    #[error("no withdrawal of this id ever waited for staff")]
    NotFound,
    /// It waits no longer.
    #[error("this withdrawal does not wait any more, it is {0}")]
    Closed(&'static str),
    /// What waits is not what was looked at.
    #[error("the withdrawal changed since you looked at it; look again")]
    Changed,
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Closed(_) | Self::Changed => Kind::Conflict,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "admin.approval.not_found",
            Self::Closed(_) => "admin.approval.closed",
            Self::Changed => "admin.approval.changed",
        }
    }
}
