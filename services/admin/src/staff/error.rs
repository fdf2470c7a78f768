use ferrex_fault::{Classify, FieldFault, Kind};

/// What can be wrong with staff accounts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is no name.
    #[error("a name has 2 to 32 characters of a-z, 0-9, `.`, `-` and `_`, and begins with a letter or digit")]
    NameForm,
    /// Somebody has the name.
    #[error("this name is taken")]
    NameTaken,
    /// The link is unknown, used or too old.
    #[error("this set-up link is not valid any more; ask for a new one")]
    LinkInvalid,
    /// The page was not opened before it was sent.
    #[error("begin the set-up first")]
    NotBegun,
    /// The code is not what the authenticator shows.
    #[error("the code is wrong; give the 6 digits your authenticator shows now")]
    CodeWrong,
    /// The password breaks a rule.
    #[error("{0}")]
    PasswordRefused(String),
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// Somebody must be able to log in.
    #[error("you cannot disable your own account")]
    OwnAccount,
    /// Too many callers; try again later.
    #[error("too many log-ins at once")]
    Overloaded,
    /// A hash could not be computed.
    #[error("hashing a password: {0}")]
    Hashing(String),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NameForm | Self::CodeWrong | Self::PasswordRefused(_) => Kind::Invalid,
            Self::NameTaken | Self::NotBegun | Self::OwnAccount => Kind::Conflict,
            Self::LinkInvalid => Kind::Forbidden,
            Self::NotFound => Kind::NotFound,
            Self::Overloaded => Kind::Unavailable,
            Self::Hashing(_) => Kind::Internal,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::NameForm => "admin.staff.name_malformed",
            Self::NameTaken => "admin.staff.name_taken",
            Self::LinkInvalid => "admin.setup.link_invalid",
            Self::NotBegun => "admin.setup.not_begun",
            Self::CodeWrong => "admin.setup.code_wrong",
            Self::PasswordRefused(_) => "admin.password.refused",
            Self::NotFound => "admin.staff.not_found",
            Self::OwnAccount => "admin.staff.self",
            Self::Overloaded => "admin.overloaded",
            Self::Hashing(_) => "admin.internal",
        }
    }
    fn fields(&self) -> Vec<FieldFault> {
        let field = match self {
            Self::NameForm | Self::NameTaken => "name",
            Self::CodeWrong => "code",
            Self::PasswordRefused(_) => "password",
            _ => return Vec::new(),
        };
        vec![FieldFault {
            field: field.to_owned(),
            message: self.to_string(),
        }]
    }
}
