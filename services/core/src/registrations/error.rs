use ferrex_fault::{Classify, FieldFault, Kind};

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else has the name.
    #[error("this user name is taken, choose another")]
    NameTaken,
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        Kind::Conflict
    }
    fn code(&self) -> &'static str {
        "core.user_name.taken"
    }
    fn fields(&self) -> Vec<FieldFault> {
        vec![FieldFault {
            field: "user_name".to_owned(),
            message: self.to_string(),
        }]
    }
}
