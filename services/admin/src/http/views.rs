//! What several endpoints show.

use ferrex_contracts::core;
use ferrex_contracts::payment::{self, ShownAmount};
use ferrex_ids::{StaffId, StaffSessionId, UserId, VerificationId, WithdrawalId};
use ferrex_time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::input::Terms;
use crate::approvals::{Approval, State};
use crate::sessions::Session;
use crate::staff::Staff;

/// A member of staff.
#[derive(Serialize, ToSchema)]
pub(super) struct StaffView {
    /// Who.
    #[schema(value_type = String)]
    id: StaffId,
    /// What they log in with.
    name: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Since when they may not log in; absent while they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    disabled_at: Option<Timestamp>,
}

impl From<Staff> for StaffView {
    fn from(staff: Staff) -> Self {
        let (created_at, disabled_at) = (staff.created_at, staff.disabled_at);
        Self {
            id: staff.id,
            name: staff.name.as_str().to_owned(),
            created_at,
            disabled_at,
        }
    }
}

/// A session of a member of staff.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Which.
    #[schema(value_type = String)]
    id: StaffSessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// From where.
    address: String,
    /// With what.
    user_agent: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// Until when at most.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl SessionView {
    pub(super) fn new(session: Session, current: StaffSessionId) -> Self {
        Self {
            current: session.id == current,
            id: session.id,
            address: session.address,
            user_agent: session.user_agent,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}

/// A person as staff see them.
#[derive(Serialize, ToSchema)]
pub(super) struct UserView {
    /// Who.
    #[schema(value_type = String)]
    id: UserId,
    /// User name.
    username: String,
    /// E-mail address.
    email: String,
    /// Identity level; 0 is unverified.
    level: u8,
    /// Whether money may not leave.
    frozen: bool,
    /// Whether a second factor is enrolled.
    second_factor: bool,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<core::UserView> for UserView {
    fn from(view: core::UserView) -> Self {
        Self {
            id: view.user,
            username: view.username,
            email: view.email,
            level: view.level,
            frozen: view.frozen,
            second_factor: view.second_factor,
            created_at: view.created_at,
        }
    }
}

/// Where a submission stands.
#[derive(Clone, Copy, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerificationState {
    /// It waits for a decision.
    Submitted,
    /// The level was granted.
    Approved,
    /// It was refused with a reason.
    Rejected,
}

impl From<VerificationState> for core::VerificationState {
    fn from(state: VerificationState) -> Self {
        match state {
            VerificationState::Submitted => Self::Submitted,
            VerificationState::Approved => Self::Approved,
            VerificationState::Rejected => Self::Rejected,
        }
    }
}

impl From<core::VerificationState> for VerificationState {
    fn from(state: core::VerificationState) -> Self {
        match state {
            core::VerificationState::Submitted => Self::Submitted,
            core::VerificationState::Approved => Self::Approved,
            core::VerificationState::Rejected => Self::Rejected,
        }
    }
}

/// A submission for an identity level.
#[derive(Serialize, ToSchema)]
pub(super) struct VerificationView {
    /// Which.
    #[schema(value_type = String)]
    id: VerificationId,
    /// Whose.
    #[schema(value_type = String)]
    user: UserId,
    /// For which level.
    level: u8,
    /// Where it stands.
    state: VerificationState,
    /// Name as in the document.
    legal_name: String,
    /// Date of birth, `YYYY-MM-DD`.
    birth_date: String,
    /// Country, ISO 3166-1 alpha-2.
    country: String,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_because: Option<String>,
    /// When it was submitted.
    #[schema(value_type = String, format = DateTime)]
    submitted_at: Timestamp,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
}

impl From<core::VerificationView> for VerificationView {
    fn from(view: core::VerificationView) -> Self {
        Self {
            id: view.verification,
            user: view.user,
            level: view.level,
            state: view.state.into(),
            legal_name: view.legal_name,
            birth_date: view.birth_date,
            country: view.country,
            rejected_because: view.rejected_because,
            submitted_at: view.submitted_at,
            decided_at: view.decided_at,
        }
    }
}

/// An amount of an asset.
#[derive(Serialize, ToSchema)]
pub(super) struct MoneyView {
    /// Number of the asset.
    asset: u32,
    /// Its symbol.
    symbol: String,
    /// How much, in whole units.
    #[schema(example = "1.5")]
    amount: String,
}

impl From<&ShownAmount> for MoneyView {
    fn from(value: &ShownAmount) -> Self {
        let amount = ferrex_money::format(value.amount, value.decimals);
        Self {
            asset: value.asset.0,
            symbol: value.symbol.clone(),
            amount,
        }
    }
}

/// A withdrawal that waits or waited for staff.
#[derive(Serialize, ToSchema)]
pub(super) struct ApprovalView {
    /// The withdrawal.
    #[schema(value_type = String)]
    withdrawal: WithdrawalId,
    /// Whose.
    #[schema(value_type = String)]
    user: UserId,
    /// Where it stands.
    state: State,
    /// What the payee receives.
    value: MoneyView,
    /// What it costs on top, in whole units of the same asset.
    fee: String,
    /// Where to.
    address: String,
    /// Key of the network.
    network: String,
    /// Send it with the decision: it is refused when the withdrawal is no longer what you looked at.
    content_hash: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    /// Since when it does not wait any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
}

impl From<Approval> for ApprovalView {
    fn from(approval: Approval) -> Self {
        let content = approval.content;
        Self {
            withdrawal: content.withdrawal,
            user: content.user,
            state: approval.state,
            value: MoneyView::from(&content.value),
            fee: ferrex_money::format(content.fee, content.value.decimals),
            address: content.address,
            network: content.network,
            content_hash: content.content_hash,
            requested_at: content.requested_at,
            closed_at: approval.closed_at,
        }
    }
}

/// A network.
#[derive(Serialize, ToSchema)]
pub(super) struct NetworkView {
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
    /// Address of the wallet that pays withdrawals.
    #[serde(skip_serializing_if = "Option::is_none")]
    hot_wallet: Option<String>,
    /// The last block that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
}

impl From<payment::NetworkView> for NetworkView {
    fn from(view: payment::NetworkView) -> Self {
        Self {
            key: view.key,
            name: view.name,
            chain_id: view.chain_id,
            rpc_urls: view.rpc_urls,
            confirmations: view.confirmations,
            enabled: view.enabled,
            hot_wallet: view.hot_wallet,
            height: view.height,
        }
    }
}

/// An asset.
#[derive(Serialize, ToSchema)]
pub(super) struct AssetView {
    /// Its number.
    id: u32,
    /// Its symbol.
    symbol: String,
    /// Its name.
    name: String,
    /// Key of its network.
    network: String,
    /// Contract of a token; absent for a network's own coin.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
    /// Decimal places.
    decimals: u8,
    /// What can be changed.
    terms: Terms,
}

impl From<payment::AssetView> for AssetView {
    fn from(view: payment::AssetView) -> Self {
        let terms = Terms::show(&view);
        Self {
            id: view.asset.0,
            symbol: view.symbol,
            name: view.name,
            network: view.network,
            contract: view.contract,
            decimals: view.decimals.places(),
            terms,
        }
    }
}
