//! What `signer` answers. It publishes nothing.

use ferrex_ids::IntentId;
use ferrex_money::{Amount, AssetId};

use crate::StaffAction;

messages! {
    /// Asks for the public side of the wallet.
    DescribeWallet {}
    /// The public side of the wallet: payment derives addresses from it, and can sign nothing with it.
    WalletView {
        /// Extended public key of m/44'/60'/0'; deposit addresses are /0/i below it.
        evm_account_xpub: String,
        /// The address that pays withdrawals, /1/0, with checksum.
        evm_hot_wallet: String,
    }
    /// Asks for a signature over a payment. The same intent and attempt give the same bytes again; a later attempt of
    /// the same intent replaces with the same nonce and a higher fee.
    SignWithdrawal {
        /// What it pays, the withdrawal's UUID.
        intent: IntentId,
        /// 1, 2, … for each replacement.
        attempt: u32,
        /// The chain.
        chain_id: u64,
        /// The asset.
        asset: AssetId,
        /// Contract of a token; none for the chain's own coin.
        contract: Option<String>,
        /// Who is paid.
        payee: String,
        /// How much, in smallest units.
        amount: Amount,
        /// Gas limit.
        gas_limit: u64,
        /// Highest price per gas, in wei.
        max_fee_per_gas: Amount,
        /// Highest tip per gas, in wei.
        max_priority_fee_per_gas: Amount,
        /// The most that gas limit times price may be, in wei.
        fee_cap: Amount,
        /// The chain's next nonce of the hot wallet, used only when the signer first meets this chain.
        chain_nonce: u64,
    }
    /// Asks to fill a nonce whose payment was given up, by a payment of nothing to ourselves.
    FillNonce {
        /// The intent that was given up.
        intent: IntentId,
        /// 1, 2, … for each replacement, above the attempts of the payment.
        attempt: u32,
        /// The chain.
        chain_id: u64,
        /// Highest price per gas, in wei.
        max_fee_per_gas: Amount,
        /// Highest tip per gas, in wei.
        max_priority_fee_per_gas: Amount,
        /// The most that gas limit times price may be, in wei.
        fee_cap: Amount,
    }
    /// A signed transaction, stored by the signer before it left.
    SignedTransaction {
        /// The raw bytes as 0x hex.
        raw: String,
        /// Its hash as 0x hex.
        hash: String,
        /// Who pays.
        from: String,
        /// Its nonce.
        nonce: u64,
    }
    /// Asks what was signed for an intent.
    GetIntent {
        /// Which.
        intent: IntentId,
    }
    /// What was signed for an intent.
    IntentView {
        /// All candidates by attempt; empty when the signer does not have it.
        candidates: Vec<SignedTransaction>,
        /// Whether it was cancelled before anything was signed: it never will be.
        #[serde(default)]
        cancelled: bool,
    }
    /// Asks never to sign an intent, so that a request for it that is still on its way is refused. Whoever gives the
    /// money back asks this first, and gives it back only if the answer has no candidates. An intent that was signed
    /// is not cancelled by it.
    CancelIntent {
        /// Which.
        intent: IntentId,
    }
    /// Asks to go on behind transactions of the wallet that were not signed here, after people have looked (H027). The
    /// next nonce only ever goes up; the same request again changes nothing.
    AdvanceNonce {
        /// The chain.
        chain_id: u64,
        /// The next nonce from now on.
        next_nonce: u64,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Where a wallet stands.
    WalletNonce {
        /// The chain.
        chain_id: u64,
        /// Its next nonce.
        next_nonce: u64,
    }
}

requests! { "signer.requests.v1":
    DescribeWallet = "signer.wallet.describe" -> WalletView,
    SignWithdrawal = "signer.withdrawal.sign" -> SignedTransaction,
    FillNonce = "signer.nonce.fill" -> SignedTransaction,
    GetIntent = "signer.intent.get" -> IntentView,
    CancelIntent = "signer.intent.cancel" -> IntentView,
    AdvanceNonce = "signer.nonce.advance" -> WalletNonce,
}
