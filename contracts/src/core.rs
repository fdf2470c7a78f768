//! What `core` says and answers. Personal data never travels in its events, but for the contact that `notifications`
//! needs to write to a person.

use ferrex_ids::{SessionId, UserId, VerificationId};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Decision, Done, StaffAction};

messages! {
    /// A person confirmed the e-mail address and so has an account.
    UserConfirmed {
        /// Who.
        user: UserId,
        /// The chosen user name.
        username: String,
        /// Where mail goes.
        email: String,
        /// Version of the user's record; later events carry higher ones.
        version: u64,
    }
    /// A person's identity level changed.
    UserLevelChanged {
        /// Who.
        user: UserId,
        /// The level from now on; 0 is unverified.
        level: u8,
        /// Why it is not higher, when a submission was rejected.
        rejected_because: Option<String>,
        /// Version of the user's record.
        version: u64,
    }
    /// Staff froze or unfroze a person.
    UserFreezeChanged {
        /// Who.
        user: UserId,
        /// Whether money may not leave from now on.
        frozen: bool,
        /// Why.
        reason: String,
        /// Version of the user's record.
        version: u64,
    }
    /// The means of logging in changed (password reset, factor removed): withdrawals rest until the given moment.
    UserCredentialsChanged {
        /// Who.
        user: UserId,
        /// Until when withdrawals are refused.
        withdrawals_rest_until: Timestamp,
        /// Version of the user's record.
        version: u64,
    }
    /// A session ended before its time.
    SessionRevoked {
        /// Which.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// When its last access token runs out, after which nobody needs to remember it.
        tokens_expire_at: Timestamp,
    }
    /// A person submitted their identity for a level.
    VerificationSubmitted {
        /// The submission.
        verification: VerificationId,
        /// Whose.
        user: UserId,
        /// For which level.
        level: u8,
    }
}

events! { "core.user.v1":
    UserConfirmed = "core.user.confirmed",
    UserLevelChanged = "core.user.level_changed",
    UserFreezeChanged = "core.user.freeze_changed",
    UserCredentialsChanged = "core.user.credentials_changed",
}
events! { "core.session.v1": SessionRevoked = "core.session.revoked" }
events! { "core.verification.v1": VerificationSubmitted = "core.verification.submitted" }

messages! {
    /// Finds a person by user name or e-mail address.
    ResolveUser {
        /// What another person typed.
        handle: String,
    }
    /// The person that was found.
    ResolvedUser {
        /// Who.
        user: UserId,
        /// The user name, to show.
        username: String,
        /// Whether the account may receive money.
        can_receive: bool,
    }
    /// Checks a person's second factor for one action. The same proof is good for one binding only.
    VerifySecondFactor {
        /// Who.
        user: UserId,
        /// The code of the authenticator, or a recovery code.
        code: String,
        /// What it is for, such as `payment.withdrawal`.
        action: String,
        /// Hash of what is to be done, as hex: a repeat with the same binding is answered alike.
        binding: String,
    }
    /// Asks for a person as staff see them.
    GetUser {
        /// Who.
        user: UserId,
    }
    /// Lists persons for staff, newest first.
    ListUsers {
        /// Part of a user name or e-mail address.
        search: Option<String>,
        /// Where the last page ended.
        cursor: Option<String>,
        /// At most this many, 1 to 100.
        limit: u16,
    }
    /// A page of persons.
    UserPage {
        /// The persons.
        items: Vec<UserView>,
        /// Where the next page begins.
        next_cursor: Option<String>,
    }
    /// A person as staff see them.
    UserView {
        /// Who.
        user: UserId,
        /// User name.
        username: String,
        /// E-mail address.
        email: String,
        /// Identity level.
        level: u8,
        /// Whether money may not leave.
        frozen: bool,
        /// Whether a second factor is enrolled.
        second_factor: bool,
        /// Since when.
        created_at: Timestamp,
    }
    /// Stops money of a person from moving, or lets it move again.
    SetUserFreeze {
        /// Who.
        user: UserId,
        /// The new state.
        frozen: bool,
        /// Who decided, and why.
        by: StaffAction,
    }
    /// Lists submissions, oldest first.
    ListVerifications {
        /// Only those in this state.
        state: Option<VerificationState>,
        /// Where the last page ended.
        cursor: Option<String>,
        /// At most this many, 1 to 100.
        limit: u16,
    }
    /// A page of submissions.
    VerificationPage {
        /// The submissions.
        items: Vec<VerificationView>,
        /// Where the next page begins.
        next_cursor: Option<String>,
    }
    /// Asks for one submission.
    GetVerification {
        /// Which.
        verification: VerificationId,
    }
    /// A submission as staff see it.
    VerificationView {
        /// Which.
        verification: VerificationId,
        /// Whose.
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
        rejected_because: Option<String>,
        /// When it was submitted.
        submitted_at: Timestamp,
        /// When it was decided.
        decided_at: Option<Timestamp>,
    }
    /// Decides a submission.
    DecideVerification {
        /// Which.
        verification: VerificationId,
        /// Yes or no.
        decision: Decision,
        /// Who decided, and why (the reason of a rejection is told to the person).
        by: StaffAction,
    }
}

requests! { "core.requests.v1":
    ResolveUser = "core.user.resolve" -> ResolvedUser,
    VerifySecondFactor = "core.second_factor.verify" -> Done,
    GetUser = "core.user.get" -> UserView,
    ListUsers = "core.user.list" -> UserPage,
    SetUserFreeze = "core.user.set_freeze" -> UserView,
    ListVerifications = "core.verification.list" -> VerificationPage,
    GetVerification = "core.verification.get" -> VerificationView,
    DecideVerification = "core.verification.decide" -> VerificationView,
}

/// Where a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    /// It waits for a decision.
    Submitted,
    /// The level was granted.
    Approved,
    /// It was refused with a reason.
    Rejected,
}
