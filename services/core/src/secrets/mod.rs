//! Everything random or keyed: tokens, codes, the hashes that stand for them in the database, and the sealing of
//! authenticator secrets.
//!
//! A copy of the database alone answers nothing: hashes of short codes are keyed (a plain hash of eight digits is found in
//! a moment), and authenticator secrets are sealed, both with keys derived from one root key that lives in a file.

mod code;
mod keys;
mod token;

pub use code::{MAIL_CODE_DIGITS, MailCode, RecoveryCode};
pub use keys::{KeyError, Keys};
pub use token::{Token, TokenKind};

/// Bytes from the operating system's generator. The only source of randomness of this service beside ids.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    rand::random()
}
