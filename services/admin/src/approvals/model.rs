use ferrex_contracts::payment::WithdrawalAwaitsApproval;
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Error;

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// It waits for a decision.
    Waiting,
    /// Staff approved it.
    Approved,
    /// Staff rejected it.
    Rejected,
    /// The person cancelled it.
    Cancelled,
    /// It failed for another reason.
    Failed,
}

impl State {
    /// The name, as in messages and the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The state of a result that payment tells.
    pub fn of_result(result: &str) -> Option<Self> {
        [Self::Approved, Self::Rejected, Self::Cancelled, Self::Failed]
            .into_iter()
            .find(|state| state.name() == result)
    }
}

/// A withdrawal that waits or waited for staff.
#[derive(Clone, Debug)]
pub struct Approval {
    /// What waits.
    pub content: WithdrawalAwaitsApproval,
    /// Where it stands.
    pub state: State,
    /// Since when it does not wait any more.
    pub closed_at: Option<Timestamp>,
}

impl Approval {
    /// Whether it can be decided by somebody who looked at the content with this hash (H035).
    pub fn decidable(&self, seen_hash: &str) -> Result<(), Error> {
        if self.state != State::Waiting {
            return Err(Error::Closed(self.state.name()));
        }
        if self.content.content_hash != seen_hash {
            return Err(Error::Changed);
        }
        Ok(())
    }
}
