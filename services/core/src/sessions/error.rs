use ferrex_fault::{Classify, Kind};

/// What can be wrong with a log-in or session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such account, or another password: the person is not told which (A03).
    #[error("the e-mail address or the password is wrong")]
    Wrong,
    /// The log-in that owes a second factor is unknown, used or over.
    #[error("the log-in took too long or was used, begin again")]
    LoginOver,
    /// The session ended.
    #[error("the session has ended, log in again")]
    Ended,
    /// No such session of this person.
    #[error("there is no such session")]
    NotFound,
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Wrong | Self::LoginOver | Self::Ended => Kind::Unauthenticated,
            Self::NotFound => Kind::NotFound,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Wrong => "core.login.wrong",
            Self::LoginOver => "core.login.over",
            Self::Ended => "core.session.ended",
            Self::NotFound => "core.session.not_found",
        }
    }
}
