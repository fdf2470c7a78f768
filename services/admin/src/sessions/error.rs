use ferrex_fault::{Classify, Kind};

/// What can be wrong with a log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Name, password or code; which of them is not said.
    #[error("name, password or code is wrong; a code is good once")]
    Refused,
    /// There is no session behind the token.
    #[error("log in first")]
    NotLoggedIn,
    /// There is no such session of this account.
    #[error("there is no such session")]
    NotFound,
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Refused | Self::NotLoggedIn => Kind::Unauthenticated,
            Self::NotFound => Kind::NotFound,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Refused => "admin.login.refused",
            Self::NotLoggedIn => "admin.session.missing",
            Self::NotFound => "admin.session.not_found",
        }
    }
}
