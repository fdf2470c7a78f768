use std::path::PathBuf;

use ferrex_chains::evm::EvmAddress;
use ferrex_fault::{Classify, FieldFault, Kind};
use ferrex_ids::IntentId;
use ferrex_money::Amount;

/// Why nothing was signed, or why the signer does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of a request is wrong and stays wrong.
    #[error("{field}: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The chain is not in the signer's settings (A78).
    #[error("chain {0} is not signed for")]
    ChainUnknown(u64),
    /// The asset is not in the signer's settings for the chain.
    #[error("{contract:?} is not paid on chain {chain_id}")]
    AssetUnknown {
        /// The chain.
        chain_id: u64,
        /// The token; none for the coin.
        contract: Option<EvmAddress>,
    },
    /// One payment is larger than the signer's settings allow.
    #[error("a payment may be at most {cap}")]
    AbovePaymentCap {
        /// Allowed.
        cap: Amount,
    },
    /// The payments of 24 hours would be more than the settings allow; later it may be possible.
    #[error("the payments of 24 hours may be at most {cap}")]
    AboveDailyCap {
        /// Allowed.
        cap: Amount,
    },
    /// The fee is higher than the settings allow.
    #[error("a transaction may cost at most {cap} wei, this one up to {fee}")]
    AboveFeeCap {
        /// Allowed.
        cap: Amount,
        /// Asked for.
        fee: Amount,
    },
    /// The fees of 24 hours would be more than the settings allow; later it may be possible.
    #[error("the fees of 24 hours may be at most {cap} wei")]
    AboveDailyFeeCap {
        /// Allowed.
        cap: Amount,
    },
    /// The intent was signed as another payment.
    #[error("{0} was signed as another payment")]
    IntentDiffers(IntentId),
    /// The intent was cancelled before it was signed.
    #[error("{0} was cancelled and is never signed")]
    IntentCancelled(IntentId),
    /// The intent's nonce was given to a payment of nothing.
    #[error("{0} was given up, its nonce is filled")]
    IntentFilled(IntentId),
    /// There is nothing signed for the intent.
    #[error("nothing was signed for {0}")]
    IntentUnknown(IntentId),
    /// An attempt was left out, or one below was asked for that never was.
    #[error("attempt {wanted} of {intent} is next, not {got}")]
    AttemptOutOfOrder {
        /// The intent.
        intent: IntentId,
        /// The next one.
        wanted: u32,
        /// The one asked for.
        got: u32,
    },
    /// A replacement does not offer enough more, so no node would take it.
    #[error("a replacement of {intent} must offer at least {least} wei per gas and {least_tip} as tip")]
    ReplacementTooCheap {
        /// The intent.
        intent: IntentId,
        /// Least price per gas.
        least: u128,
        /// Least tip per gas.
        least_tip: u128,
    },
    /// The chain knows more of the wallet's transactions than this schema: another program has the key, or the schema
    /// was restored from a backup. Nothing new is signed on that chain until a person has looked (H027, F45).
    #[error(
        "chain {chain_id} has seen {chain_nonce} transactions of the wallet, only {next_nonce} were signed here"
    )]
    BehindChain {
        /// The chain.
        chain_id: u64,
        /// Next nonce as the chain has it.
        chain_nonce: u64,
        /// Next nonce as we have it.
        next_nonce: u64,
    },
    /// The signed bytes say something else than the intent (I27). They are thrown away.
    #[error("the signed bytes of {intent} differ from what was asked: {what}")]
    SignedDiffers {
        /// The intent.
        intent: IntentId,
        /// What differs.
        what: String,
    },
    /// The keystore of another wallet was here first.
    #[error(
        "this schema belongs to wallet {stored}, the keystore is of {ours}; give back the right keystore file"
    )]
    OtherKeystore {
        /// The wallet that signed here.
        stored: EvmAddress,
        /// The wallet of the keystore.
        ours: EvmAddress,
    },
    /// The settings cannot be used.
    #[error("signer settings: {0}")]
    Settings(String),
    /// The keystore cannot be used.
    #[error("opening the keystore {}", path.display())]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: crate::keystore::KeystoreError,
    },
    /// The database did not do its part.
    #[error("working with the signer's tables")]
    Store(#[from] ferrex_postgres::Error),
    /// What a table holds is not what was written.
    #[error("reading a stored {0}")]
    Stored(&'static str),
    /// The bus ended.
    #[error("serving requests")]
    Bus(#[from] ferrex_bus::Error),
}

impl Error {
    pub(crate) fn field(field: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Field {
            field,
            reason: reason.to_string(),
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Field { .. } => Kind::Invalid,
            Self::ChainUnknown(_) | Self::AssetUnknown { .. } | Self::AbovePaymentCap { .. } => {
                Kind::Forbidden
            }
            Self::AboveDailyCap { .. } | Self::AboveFeeCap { .. } | Self::AboveDailyFeeCap { .. } => {
                Kind::Exhausted
            }
            Self::IntentDiffers(_)
            | Self::IntentCancelled(_)
            | Self::IntentFilled(_)
            | Self::AttemptOutOfOrder { .. }
            | Self::ReplacementTooCheap { .. } => Kind::Conflict,
            Self::IntentUnknown(_) => Kind::NotFound,
            // Not a refusal: the money must neither go out nor back until a person has looked.
            Self::BehindChain { .. } => Kind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Bus(error) => error.kind(),
            Self::SignedDiffers { .. }
            | Self::OtherKeystore { .. }
            | Self::Settings(_)
            | Self::Keystore { .. }
            | Self::Stored(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "signer.request.invalid",
            Self::ChainUnknown(_) => "signer.policy.chain_unknown",
            Self::AssetUnknown { .. } => "signer.policy.asset_unknown",
            Self::AbovePaymentCap { .. } => "signer.policy.above_payment_cap",
            Self::AboveDailyCap { .. } => "signer.policy.above_daily_cap",
            Self::AboveFeeCap { .. } => "signer.policy.above_fee_cap",
            Self::AboveDailyFeeCap { .. } => "signer.policy.above_daily_fee_cap",
            Self::IntentDiffers(_) => "signer.intent.differs",
            Self::IntentCancelled(_) => "signer.intent.cancelled",
            Self::IntentFilled(_) => "signer.intent.filled",
            Self::IntentUnknown(_) => "signer.intent.unknown",
            Self::AttemptOutOfOrder { .. } => "signer.intent.attempt_out_of_order",
            Self::ReplacementTooCheap { .. } => "signer.intent.replacement_too_cheap",
            Self::BehindChain { .. } => "signer.wallet.behind_chain",
            Self::SignedDiffers { .. } => "signer.intent.signed_differs",
            Self::OtherKeystore { .. } => "signer.keystore.other_wallet",
            Self::Settings(_) => "signer.settings",
            Self::Keystore { .. } => "signer.keystore.unusable",
            Self::Store(_) => "signer.store",
            Self::Stored(_) => "signer.store.unreadable_row",
            Self::Bus(_) => "signer.bus",
        }
    }

    fn fields(&self) -> Vec<FieldFault> {
        match self {
            Self::Field { field, reason } => {
                vec![FieldFault {
                    field: (*field).to_owned(),
                    message: reason.clone(),
                }]
            }
            _ => Vec::new(),
        }
    }
}
