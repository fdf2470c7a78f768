use ferrex_fault::{Classify, Kind};

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network takes no deposits.
    #[error("network \"{0}\" takes no deposits at present")]
    NetworkResting(String),
    /// The current address was never paid.
    #[error("the current address of network \"{0}\" was never used; a new one is given once it was")]
    Unused(String),
    /// The signer's answer is not usable, or not the wallet that was there before.
    #[error("the signer's wallet cannot be used: {0}")]
    Wallet(String),
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NetworkResting(_) | Self::Unused(_) => Kind::Conflict,
            Self::Wallet(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NetworkResting(_) => "payment.network.resting",
            Self::Unused(_) => "payment.deposit_address.unused",
            Self::Wallet(_) => "payment.wallet.unusable",
        }
    }
}
