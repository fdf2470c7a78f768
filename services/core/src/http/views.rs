//! What several endpoints answer.

use ferrex_ids::{ChallengeId, SessionId, UserId};
use ferrex_time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::sessions::Issued;

/// A request that waits for the code of a mail. It looks the same whether or not the address has an account.
#[derive(Serialize, ToSchema)]
pub(super) struct CodeSentView {
    /// Send it back with the code.
    #[schema(value_type = String, example = "chl_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    pub id: ChallengeId,
    /// When the code ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A new session and its tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionTokensView {
    /// The session.
    #[schema(value_type = String, example = "ses_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    pub session_id: SessionId,
    /// Whose.
    #[schema(value_type = String, example = "usr_01kb4w2v7tfz3vqk9m5h8e2xyz")]
    pub user_id: UserId,
    /// Keep it secret; it gets access tokens until the session ends.
    pub session_token: String,
    /// When the session ends in any case; it ends earlier when it is not used.
    #[schema(value_type = String, format = DateTime)]
    pub session_expires_at: Timestamp,
    /// Send it as `Authorization: Bearer …` with every call.
    pub access_token: String,
    /// When the access token ends; get the next one before.
    #[schema(value_type = String, format = DateTime)]
    pub access_token_expires_at: Timestamp,
}

impl From<Issued> for SessionTokensView {
    fn from(issued: Issued) -> Self {
        Self {
            session_id: issued.session,
            user_id: issued.user,
            session_token: issued.token.reveal().to_owned(),
            session_expires_at: issued.expires_at,
            access_token: issued.access_token,
            access_token_expires_at: issued.access_expires_at,
        }
    }
}

/// Recovery codes, shown only this once. Each replaces the authenticator one time.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodesView {
    /// Ten codes of 24 letters and digits in groups of four.
    #[schema(min_items = 10, max_items = 10)]
    pub recovery_codes: Vec<String>,
}
