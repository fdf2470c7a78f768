//! What `payment` says and answers.

use ferrex_ids::{DepositId, TransferId, UserId, WithdrawalId};
use ferrex_money::{Amount, AssetId, Decimals};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Decision, Done, StaffAction};

pub use crate::payment_markets::*;

messages! {
    /// An amount as people read it, so that a reader needs no registry.
    ShownAmount {
        /// The asset.
        asset: AssetId,
        /// Its symbol.
        symbol: String,
        /// How much, in smallest units.
        amount: Amount,
        /// Decimal places of the asset.
        decimals: Decimals,
    }
    /// A deposit was seen on its chain and waits for confirmations.
    DepositSeen {
        /// Which.
        deposit: DepositId,
        /// Whose.
        user: UserId,
        /// How much.
        value: ShownAmount,
        /// Confirmations it needs.
        confirmations_needed: u32,
    }
    /// A deposit was credited.
    DepositCredited {
        /// Which.
        deposit: DepositId,
        /// Whose.
        user: UserId,
        /// How much.
        value: ShownAmount,
    }
    /// A credited deposit vanished from its chain and was taken back.
    DepositReversed {
        /// Which.
        deposit: DepositId,
        /// Whose.
        user: UserId,
        /// How much was credited.
        value: ShownAmount,
        /// The part that was spent already and is now owed.
        owed: Amount,
    }
    /// One person paid another.
    TransferCompleted {
        /// Which.
        transfer: TransferId,
        /// Who paid.
        from: UserId,
        /// Who received.
        to: UserId,
        /// User name of the payer.
        from_username: String,
        /// User name of the receiver.
        to_username: String,
        /// How much.
        value: ShownAmount,
        /// What the payer wrote.
        note: Option<String>,
    }
    /// A withdrawal was asked for and its money set aside.
    WithdrawalRequested {
        /// Which.
        withdrawal: WithdrawalId,
        /// Whose.
        user: UserId,
        /// What the payee receives.
        value: ShownAmount,
        /// What it costs on top.
        fee: Amount,
        /// Where to.
        address: String,
        /// Key of the network.
        network: String,
    }
    /// A withdrawal is above the limit that goes without staff.
    WithdrawalAwaitsApproval {
        /// Which.
        withdrawal: WithdrawalId,
        /// Whose.
        user: UserId,
        /// What the payee receives.
        value: ShownAmount,
        /// What it costs on top.
        fee: Amount,
        /// Where to.
        address: String,
        /// Key of the network.
        network: String,
        /// When it was asked for.
        requested_at: Timestamp,
        /// Hash of what is to be approved; a decision names it.
        content_hash: String,
    }
    /// A withdrawal no longer waits for staff: decided, cancelled or failed.
    WithdrawalApprovalClosed {
        /// Which.
        withdrawal: WithdrawalId,
        /// What became of it: `approved`, `rejected`, `cancelled` or `failed`.
        result: String,
    }
    /// A withdrawal was confirmed on its chain and settled.
    WithdrawalSettled {
        /// Which.
        withdrawal: WithdrawalId,
        /// Whose.
        user: UserId,
        /// What the payee received.
        value: ShownAmount,
        /// What it cost on top.
        fee: Amount,
        /// Where to.
        address: String,
        /// Key of the network.
        network: String,
        /// Hash of the transaction; none for a payment inside the house.
        transaction: Option<String>,
    }
    /// A withdrawal was given up; its money is available again.
    WithdrawalFailed {
        /// Which.
        withdrawal: WithdrawalId,
        /// Whose.
        user: UserId,
        /// What the payee would have received.
        value: ShownAmount,
        /// Why, for the person.
        reason: String,
    }
    /// A withdrawal was cancelled by the person; its money is available again.
    WithdrawalCancelled {
        /// Which.
        withdrawal: WithdrawalId,
        /// Whose.
        user: UserId,
        /// What the payee would have received.
        value: ShownAmount,
    }
}

events! { "payment.deposit.v1":
    DepositSeen = "payment.deposit.seen",
    DepositCredited = "payment.deposit.credited",
    DepositReversed = "payment.deposit.reversed",
}
events! { "payment.transfer.v1": TransferCompleted = "payment.transfer.completed" }
events! { "payment.withdrawal.v1":
    WithdrawalRequested = "payment.withdrawal.requested",
    WithdrawalAwaitsApproval = "payment.withdrawal.awaits_approval",
    WithdrawalApprovalClosed = "payment.withdrawal.approval_closed",
    WithdrawalSettled = "payment.withdrawal.settled",
    WithdrawalFailed = "payment.withdrawal.failed",
    WithdrawalCancelled = "payment.withdrawal.cancelled",
}

messages! {
    /// Decides a withdrawal that waits for staff.
    DecideWithdrawal {
        /// Which.
        withdrawal: WithdrawalId,
        /// Yes or no.
        decision: Decision,
        /// Hash of what was looked at; refused when it is no longer that.
        content_hash: String,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Where a withdrawal stands, for staff.
    GetWithdrawal {
        /// Which.
        withdrawal: WithdrawalId,
    }
    /// A withdrawal as staff see it.
    WithdrawalView {
        /// Which.
        withdrawal: WithdrawalId,
        /// Whose.
        user: UserId,
        /// State name.
        state: String,
        /// What the payee receives.
        value: ShownAmount,
        /// What it costs on top.
        fee: Amount,
        /// Where to.
        address: String,
        /// Key of the network.
        network: String,
        /// What it waits for.
        waiting_for: Option<String>,
        /// Hashes of the candidate transactions.
        transactions: Vec<String>,
        /// When it was asked for.
        requested_at: Timestamp,
    }
    /// Gives up a withdrawal that is on its way but in no block. When it was signed, its place in the wallet's order is
    /// taken by a payment of nothing to ourselves; if the payment is mined first all the same, it is settled.
    GiveUpWithdrawal {
        /// Which.
        withdrawal: WithdrawalId,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Lets the wallet of a network pay again after it was used elsewhere and people have looked (H027).
    ResumeWallet {
        /// Key of the network.
        network: String,
        /// The wallet's next nonce as the chain has it; refused when the chain says another.
        next_nonce: u64,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Ends the wait of a deposit that the ledger cannot hold, once people have done about it what can be done.
    CloseDeposit {
        /// Which.
        deposit: DepositId,
        /// Who decided, and what was done.
        by: StaffAction,
    }
    /// Asks what about money waits for people.
    ListConcerns {}
    /// What about money waits for people.
    Concerns {
        /// All of it, by kind.
        concerns: Vec<Concern>,
    }
    /// Something about money that waits for people.
    Concern {
        /// What it is.
        kind: ConcernKind,
        /// What it is about: an asset's symbol, a network's key, a deposit's id.
        subject: String,
        /// What was found.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// Key of the network, where it is about one.
        network: Option<String>,
        /// Symbol of the asset, where it is about one.
        asset: Option<String>,
        /// The whole amount in smallest units, which may be more than 128 bits hold.
        amount: Option<String>,
        /// Hash of the transaction, where there is one.
        transaction: Option<String>,
        /// The person, where it is about one.
        user: Option<UserId>,
    }
    /// Makes a network known, or changes it (not its chain id).
    PutNetwork {
        /// Short key, such as `ethereum`: 2 to 20 of a-z, 0-9 and `-`.
        key: String,
        /// Name to show.
        name: String,
        /// The chain id that every node must answer with.
        chain_id: u64,
        /// Node addresses, at least one.
        rpc_urls: Vec<String>,
        /// Blocks, the one of the transaction included, until a transaction counts.
        confirmations: u32,
        /// Block from which on to look, when the network is new; the present one if absent.
        start_height: Option<u64>,
        /// Whether deposits and withdrawals are taken.
        enabled: bool,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Makes an asset known. What it is cannot be changed afterwards.
    CreateAsset {
        /// Symbol, such as `ETH`: 2 to 12 of A-Z and 0-9.
        symbol: String,
        /// Name to show.
        name: String,
        /// Key of its network.
        network: String,
        /// Contract of an ERC-20 token; none for the network's own coin.
        contract: Option<String>,
        /// Decimal places; must agree with the contract.
        decimals: Decimals,
        /// What can be changed later.
        terms: AssetTerms,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Changes an asset's terms.
    UpdateAsset {
        /// Which.
        asset: AssetId,
        /// The new terms.
        terms: AssetTerms,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// What can be changed about an asset. Amounts in smallest units.
    AssetTerms {
        /// Smaller deposits are recorded but not credited.
        deposit_minimum: Amount,
        /// The smallest withdrawal.
        withdrawal_minimum: Amount,
        /// What a withdrawal costs.
        withdrawal_fee: Amount,
        /// Withdrawals above it wait for staff.
        approval_threshold: Amount,
        /// Whether deposits are credited.
        deposits_enabled: bool,
        /// Whether withdrawals are taken.
        withdrawals_enabled: bool,
    }
    /// Asks for the registry.
    ListAssets {}
    /// The registry.
    AssetRegistry {
        /// All networks.
        networks: Vec<NetworkView>,
        /// All assets.
        assets: Vec<AssetView>,
    }
    /// A network.
    NetworkView {
        /// Its key.
        key: String,
        /// Its name.
        name: String,
        /// Its chain id.
        chain_id: u64,
        /// Node addresses.
        rpc_urls: Vec<String>,
        /// Blocks until a transaction counts.
        confirmations: u32,
        /// Whether it is in use.
        enabled: bool,
        /// Address of the wallet that pays withdrawals, once the signer told it.
        hot_wallet: Option<String>,
        /// The last block that was looked at.
        height: Option<u64>,
    }
    /// An asset.
    AssetView {
        /// Its number.
        asset: AssetId,
        /// Its symbol.
        symbol: String,
        /// Its name.
        name: String,
        /// Key of its network.
        network: String,
        /// Contract of a token.
        contract: Option<String>,
        /// Decimal places.
        decimals: Decimals,
        /// What can be changed.
        terms: AssetTerms,
    }
}

requests! { "payment.requests.v1":
    DecideWithdrawal = "payment.withdrawal.decide" -> WithdrawalView,
    GetWithdrawal = "payment.withdrawal.get" -> WithdrawalView,
    GiveUpWithdrawal = "payment.withdrawal.give_up" -> WithdrawalView,
    ResumeWallet = "payment.wallet.resume" -> NetworkView,
    CloseDeposit = "payment.deposit.close" -> Done,
    ListConcerns = "payment.concern.list" -> Concerns,
    PutNetwork = "payment.network.put" -> NetworkView,
    CreateAsset = "payment.asset.create" -> AssetView,
    UpdateAsset = "payment.asset.update" -> AssetView,
    ListAssets = "payment.asset.list" -> AssetRegistry,
}

/// Which way an entry changes an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Debit.
    Debit,
    /// Credit.
    Credit,
}

/// What kind of thing waits for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcernKind {
    /// The audit found a difference in the books: withdrawals of the asset rest until an audit is clean.
    BooksDiffer,
    /// Payments of a network rest.
    NetworkHalted,
    /// The wallet made a transaction that was not signed here.
    ForeignTransaction,
    /// A deposit is larger than the ledger can hold.
    DepositTooLarge,
    /// The books refuse a deposit, or its reversal.
    DepositRefused,
}
