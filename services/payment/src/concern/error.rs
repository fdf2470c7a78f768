use ferrex_fault::{Classify, FieldFault, Kind};

/// Why staff's action was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such deposit.
    #[error("there is no such deposit")]
    DepositNotFound,
    /// The deposit is carried by the books.
    #[error("only deposits that the ledger cannot hold are closed by hand")]
    DepositInBooks,
    /// The chain says another nonce than the request.
    #[error("the chain expects nonce {chain} of the wallet, {confirmed} of its transactions are confirmed")]
    NonceDiffers {
        /// The next nonce, those that wait counted.
        chain: u64,
        /// The next nonce after the confirmed blocks.
        confirmed: u64,
    },
    /// A transaction that was not signed here may still leave the chain.
    #[error("the wallet's foreign transaction with nonce {nonce} is not confirmed yet; wait")]
    NotConfirmed {
        /// Its nonce.
        nonce: u64,
    },
    /// The reason is missing or too long.
    #[error("1 to {0} visible characters")]
    Reason(usize),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::DepositNotFound => Kind::NotFound,
            Self::DepositInBooks | Self::NonceDiffers { .. } | Self::NotConfirmed { .. } => Kind::Conflict,
            Self::Reason(_) => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::DepositNotFound => "payment.deposit.not_found",
            Self::DepositInBooks => "payment.deposit.in_books",
            Self::NonceDiffers { .. } => "payment.wallet.nonce_differs",
            Self::NotConfirmed { .. } => "payment.wallet.not_confirmed",
            Self::Reason(_) => "payment.reason",
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        match self {
            Self::Reason(_) => vec![FieldFault {
                field: "reason".to_owned(),
                message: self.to_string(),
            }],
            _ => Vec::new(),
        }
    }
}
