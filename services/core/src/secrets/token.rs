use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Keys, random};

const BYTES: usize = 32;

/// What a token is good for; its first letters say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A logged-in session.
    Session,
    /// A log-in that still owes its second factor.
    Login,
    /// A link in a mail.
    Link,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "fxs_",
            Self::Login => "fxl_",
            Self::Link => "fxm_",
        }
    }
}

/// 256 random bits that only the client keeps; the database has the hash.
pub struct Token {
    kind: TokenKind,
    text: Zeroizing<String>,
}

impl Token {
    /// A new token.
    pub fn generate(kind: TokenKind) -> Self {
        let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random::<BYTES>()));
        Self {
            kind,
            text: Zeroizing::new(text),
        }
    }

    /// Reads a token; `None` when it is none of this kind.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let body = text.strip_prefix(kind.prefix())?;
        let bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
        (bytes.len() == BYTES).then(|| Self {
            kind,
            text: Zeroizing::new(text.to_owned()),
        })
    }

    /// The text that the client keeps.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What stands for it in the database.
    pub fn hash(&self, keys: &Keys) -> Vec<u8> {
        keys.hash(self.kind.prefix(), self.text.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_as_its_kind_only() {
        let token = Token::generate(TokenKind::Session);
        assert!(Token::parse(TokenKind::Session, token.reveal()).is_some());
        assert!(Token::parse(TokenKind::Login, token.reveal()).is_none());
        assert!(Token::parse(TokenKind::Session, "fxs_AAAA").is_none());
        assert!(Token::parse(TokenKind::Session, &format!("{}A", token.reveal())).is_none());
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(
            Token::generate(TokenKind::Link).reveal(),
            Token::generate(TokenKind::Link).reveal()
        );
    }
}
