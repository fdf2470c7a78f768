//! The registry of kinds.

use crate::{Id, Kind};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $alias:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Kind for $name {
                const PREFIX: &'static str = $prefix;
            }
            $(#[$doc])*
            pub type $alias = Id<$name>;
        )*
        #[cfg(test)]
        pub(crate) const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

kinds! {
    /// A person who uses the wallet.
    User, UserId = "usr";
    /// A logged-in session of a person.
    Session, SessionId = "ses";
    /// A submission for an identity level.
    Verification, VerificationId = "ver";
    /// A one-time code sent to a person.
    Challenge, ChallengeId = "chl";
    /// A member of the operator's staff.
    Staff, StaffId = "stf";
    /// A logged-in session of a member of staff.
    StaffSession, StaffSessionId = "sse";
    /// A decision that waits for staff.
    Approval, ApprovalId = "apr";
    /// An entry of the staff audit log.
    AuditEntry, AuditEntryId = "aud";
    /// A deposit from a chain.
    Deposit, DepositId = "dep";
    /// A withdrawal to a chain.
    Withdrawal, WithdrawalId = "wdr";
    /// A transfer between two people.
    Transfer, TransferId = "trf";
    /// An order in a market; the same number as the command that placed it.
    Order, OrderId = "ord";
    /// A command to the engine; the idempotency key of a movement of money.
    Command, CommandId = "cmd";
    /// A reservation of money until it is posted, voided or expires.
    Hold, HoldId = "hld";
    /// A message on the bus.
    Message, MessageId = "msg";
    /// A persisted state machine that touches the outside.
    Flow, FlowId = "flw";
    /// One effect of one step of a flow.
    Effect, EffectId = "eff";
    /// A mail, push or other message to a person.
    Delivery, DeliveryId = "dlv";
    /// An event received from an outside system.
    InboundEvent, InboundEventId = "inb";
    /// A scheduled job.
    Schedule, ScheduleId = "sch";
    /// A request to the signer.
    Intent, IntentId = "int";
}

#[cfg(test)]
mod tests {
    use super::PREFIXES;

    #[test]
    fn prefixes_are_unique_and_short() {
        let mut seen = std::collections::BTreeSet::new();
        for prefix in PREFIXES {
            assert!(
                prefix.len() == 3 && prefix.bytes().all(|b| b.is_ascii_lowercase()),
                "{prefix}"
            );
            assert!(seen.insert(prefix), "{prefix} is used twice");
        }
    }
}
