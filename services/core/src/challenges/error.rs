use ferrex_fault::{Classify, Kind};

/// Why a challenge was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wrong, used, expired, replaced, for something else, tried too often, or never sent: the person is not told which.
    #[error("the code or link is wrong, expired or was used; ask for a new one")]
    Wrong,
    /// There is no such open challenge to send again.
    #[error("there is no such open request, begin again")]
    NotFound,
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Wrong => Kind::Invalid,
            Self::NotFound => Kind::NotFound,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Wrong => "core.code.wrong",
            Self::NotFound => "core.code.not_found",
        }
    }
}
