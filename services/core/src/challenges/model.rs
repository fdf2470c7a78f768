use ferrex_ids::{ChallengeId, UserId};
use ferrex_time::Timestamp;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::secrets::{Keys, MailCode, Token, TokenKind};

/// Wrong codes that a challenge survives.
pub const TRIES_MAX: i16 = 5;

/// What a challenge is for. A code for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To confirm the address of a registration.
    Registration,
    /// To choose a new password.
    PasswordReset,
}

impl Purpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// What a person answers a challenge with.
#[derive(Debug)]
pub enum Presented {
    /// The code, typed into the page that knows the challenge.
    Code {
        /// The challenge.
        challenge: ChallengeId,
        /// The code, unless what was typed cannot be one.
        code: Option<MailCode>,
    },
    /// The token of the link.
    Token(Option<Token>),
}

impl std::fmt::Debug for MailCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailCode(..)")
    }
}

impl Presented {
    /// A code as it was typed.
    pub fn code(challenge: ChallengeId, text: &str) -> Self {
        Self::Code {
            challenge,
            code: MailCode::parse(text),
        }
    }

    /// A token as it stood in the link.
    pub fn token(text: &str) -> Self {
        Self::Token(Token::parse(TokenKind::Link, text))
    }
}

/// A challenge as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Challenge {
    pub id: Uuid,
    pub purpose: String,
    pub email_key: String,
    pub user_id: Option<Uuid>,
    pub decoy: bool,
    pub code_hash: Vec<u8>,
    pub wrong_tries: i16,
    pub expires_at: Timestamp,
    pub consumed_at: Option<Timestamp>,
    pub voided_at: Option<Timestamp>,
}

/// What a new challenge sends.
pub(crate) struct Fresh {
    pub id: ChallengeId,
    pub code: MailCode,
    pub token: Token,
    pub expires_at: Timestamp,
}

impl Challenge {
    pub fn user(&self) -> Option<UserId> {
        self.user_id.map(UserId::from_uuid)
    }

    /// Whether its time and state allow an answer at all.
    pub fn is_open(&self, purpose: Purpose, now: Timestamp) -> bool {
        self.purpose == purpose.as_str()
            && self.consumed_at.is_none()
            && self.voided_at.is_none()
            && self.expires_at > now
    }

    /// Whether this code answers it now.
    pub fn takes(&self, purpose: Purpose, code: &MailCode, keys: &Keys, now: Timestamp) -> bool {
        // Compared in any case, so that a decoy takes as long as the real thing.
        let equal: bool = self.code_hash.ct_eq(&code.hash(keys, self.id.as_bytes())).into();
        equal && self.can_be_answered(purpose, now)
    }

    /// Whether the right code or link would be taken now.
    pub fn can_be_answered(&self, purpose: Purpose, now: Timestamp) -> bool {
        self.is_open(purpose, now) && !self.decoy && self.wrong_tries < TRIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use ferrex_time::Duration;
    use secrecy::SecretString;

    use super::*;

    fn fixture() -> (Keys, MailCode, Challenge, Timestamp) {
        let keys = Keys::try_new(&SecretString::from("0123456789abcdef0123456789abcdef")).unwrap();
        let (code, now) = (
            MailCode::generate(),
            ferrex_time::from_micros(1_700_000_000_000_000),
        );
        let id = ferrex_ids::uuid_at(1);
        let challenge = Challenge {
            id,
            purpose: "registration".into(),
            email_key: "a@example.org".into(),
            user_id: None,
            decoy: false,
            code_hash: code.hash(&keys, id.as_bytes()),
            wrong_tries: 0,
            expires_at: now + Duration::minutes(30),
            consumed_at: None,
            voided_at: None,
        };
        (keys, code, challenge, now)
    }

    #[test]
    fn h092_a_code_is_bound_to_purpose_time_state_and_tries() {
        let (keys, code, open, now) = fixture();
        let takes = |challenge: &Challenge, purpose, at| challenge.takes(purpose, &code, &keys, at);
        assert!(takes(&open, Purpose::Registration, now));
        assert!(!takes(&open, Purpose::PasswordReset, now));
        assert!(!takes(&open, Purpose::Registration, open.expires_at));
        assert!(!takes(
            &Challenge {
                consumed_at: Some(now),
                ..open.clone()
            },
            Purpose::Registration,
            now
        ));
        assert!(!takes(
            &Challenge {
                voided_at: Some(now),
                ..open.clone()
            },
            Purpose::Registration,
            now
        ));
        assert!(!takes(
            &Challenge {
                decoy: true,
                ..open.clone()
            },
            Purpose::Registration,
            now
        ));
        assert!(!takes(
            &Challenge {
                wrong_tries: TRIES_MAX,
                ..open.clone()
            },
            Purpose::Registration,
            now
        ));
        assert!(!takes(
            &Challenge {
                id: ferrex_ids::uuid_at(2),
                ..open
            },
            Purpose::Registration,
            now
        ));
    }
}
