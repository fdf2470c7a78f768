use ferrex_fault::{Classify, FieldFault, Kind};
use ferrex_ids::WithdrawalId;

/// Why a withdrawal cannot be asked for, cancelled or decided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or somebody else's.
    #[error("there is no such withdrawal")]
    NotFound,
    /// The signer has it, or it is over.
    #[error("withdrawal {0} is {1}: it is too late to cancel it")]
    TooLateToCancel(WithdrawalId, &'static str),
    /// Staff have decided, or need not.
    #[error("withdrawal {0} is {1} and does not wait for a decision")]
    NotAwaitingApproval(WithdrawalId, &'static str),
    /// It is mined, over, or waits for a decision.
    #[error("withdrawal {0} is {1} and cannot be given up")]
    CannotGiveUp(WithdrawalId, &'static str),
    /// An audit found the asset's books to differ.
    #[error("withdrawals of {0} rest while its books are being checked")]
    BooksDiffer(String),
    /// The decision names another content.
    #[error("withdrawal {0} is not what was looked at; load it again")]
    ContentChanged(WithdrawalId),
    /// The person's identity is not verified.
    #[error("withdrawals need a verified identity (level 1)")]
    LevelTooLow,
    /// Staff stopped the person's money.
    #[error("money cannot leave this account at present; please contact support")]
    Frozen,
    /// The means of logging in changed a short while ago.
    #[error("withdrawals rest until {0}, since the means of logging in changed")]
    Resting(ferrex_time::Timestamp),
    /// A reversed deposit has not been made good.
    #[error("a deposit that vanished from its chain is still owed; deposit the difference first")]
    Owing,
    /// The asset's withdrawals are switched off.
    #[error("withdrawals of {0} rest at present")]
    AssetResting(String),
    /// A field is wrong.
    #[error("{message}")]
    Field {
        /// Stable code.
        code: &'static str,
        /// Which field.
        field: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// There is not enough.
    #[error("there is not enough {0} available for the amount and the fee")]
    Insufficient(String),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::TooLateToCancel(..)
            | Self::NotAwaitingApproval(..)
            | Self::CannotGiveUp(..)
            | Self::BooksDiffer(_)
            | Self::ContentChanged(_)
            | Self::Insufficient(_)
            | Self::Owing
            | Self::AssetResting(_) => Kind::Conflict,
            Self::LevelTooLow | Self::Frozen | Self::Resting(_) => Kind::Forbidden,
            Self::Field { .. } => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "payment.withdrawal.not_found",
            Self::TooLateToCancel(..) => "payment.withdrawal.too_late_to_cancel",
            Self::NotAwaitingApproval(..) => "payment.withdrawal.not_awaiting_approval",
            Self::CannotGiveUp(..) => "payment.withdrawal.cannot_give_up",
            Self::BooksDiffer(_) => "payment.withdrawal.books_differ",
            Self::ContentChanged(_) => "payment.withdrawal.content_changed",
            Self::LevelTooLow => "payment.withdrawal.level_too_low",
            Self::Frozen => "payment.account.frozen",
            Self::Resting(_) => "payment.withdrawal.resting",
            Self::Owing => "payment.account.owing",
            Self::AssetResting(_) => "payment.withdrawal.asset_resting",
            Self::Field { code, .. } => code,
            Self::Insufficient(_) => "payment.insufficient_available",
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        match self {
            Self::Field { field, message, .. } => {
                vec![FieldFault {
                    field: (*field).to_owned(),
                    message: message.clone(),
                }]
            }
            Self::Insufficient(_) => vec![FieldFault {
                field: "amount".to_owned(),
                message: self.to_string(),
            }],
            _ => Vec::new(),
        }
    }
}
