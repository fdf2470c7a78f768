use ferrex_ids::UserId;
use ferrex_time::Timestamp;

/// A person as payment sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Who.
    pub user: UserId,
    /// The user name; empty until it is known.
    pub username: String,
    /// Identity level; 0 is unverified.
    pub level: u8,
    /// Whether money may not leave.
    pub frozen: bool,
    /// Withdrawals are refused before this moment.
    pub rest_until: Option<Timestamp>,
}

impl Customer {
    /// A person of whom nothing was heard yet.
    pub fn unknown(user: UserId) -> Self {
        Self {
            user,
            username: String::new(),
            level: 0,
            frozen: false,
            rest_until: None,
        }
    }
}
