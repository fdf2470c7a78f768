use ferrex_fault::{Classify, FieldFault, Kind};

/// What can be wrong with a second factor.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The code is neither of the authenticator now nor a recovery code that is left.
    #[error("the code is wrong; give the 6 digits your authenticator shows now, or a recovery code")]
    Wrong,
    /// The code was used before.
    #[error("this code was used already; wait for the next one")]
    Used,
    /// A code is needed.
    #[error("give a code of your authenticator, or a recovery code")]
    Required,
    /// There is no factor to check against.
    #[error("no second factor is enrolled; enrol an authenticator first")]
    NotEnrolled,
    /// Nothing was begun that could be confirmed.
    #[error("no enrolment is open, begin again")]
    NoEnrolment,
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Wrong | Self::Used => Kind::Invalid,
            Self::Required | Self::NotEnrolled => Kind::Forbidden,
            Self::NoEnrolment => Kind::Conflict,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Wrong => "core.second_factor.wrong",
            Self::Used => "core.second_factor.used",
            Self::Required => "core.second_factor.required",
            Self::NotEnrolled => "core.second_factor.not_enrolled",
            Self::NoEnrolment => "core.second_factor.no_enrolment",
        }
    }
    fn fields(&self) -> Vec<FieldFault> {
        match self {
            Self::Wrong | Self::Used | Self::Required => {
                vec![FieldFault {
                    field: "code".to_owned(),
                    message: self.to_string(),
                }]
            }
            Self::NotEnrolled | Self::NoEnrolment => Vec::new(),
        }
    }
}
