use ferrex_fault::{Classify, FieldFault, Kind};

/// Why a schedule of fees is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The volumes do not grow, or are too many.
    #[error("up to {0} volumes, each more than the one before and the first more than zero")]
    Volumes(usize),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "payment.fee_schedule.volumes"
    }

    fn fields(&self) -> Vec<FieldFault> {
        vec![FieldFault {
            field: "volumes".to_owned(),
            message: self.to_string(),
        }]
    }
}
