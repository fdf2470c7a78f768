use ferrex_time::{Duration, Timestamp};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::secrets::RecoveryCode;

/// How many recovery codes a person gets.
pub const RECOVERY_CODES: usize = 10;
/// How long the same question about the same code gets the same answer.
pub(super) const REPEATABLE: Duration = Duration::minutes(10);
const SECRET_BYTES: usize = 20;
const CODE_DIGITS: usize = 6;

/// A code as a person typed it.
pub enum Code {
    /// Six digits of the authenticator.
    Totp(Zeroizing<String>),
    /// A recovery code.
    Recovery(RecoveryCode),
}

impl Code {
    /// Reads a code; spaces are left out. `None` when it is neither kind.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(recovery) = RecoveryCode::parse(text) {
            return Some(Self::Recovery(recovery));
        }
        let digits: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|letter| *letter != ' ').take(64).collect());
        let is_totp = digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_totp.then_some(Self::Totp(digits))
    }
}

/// What a code is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The action, such as `payment.withdrawal`.
    pub action: &'a str,
    /// Hash of its payload; `None` when no repeat is answered alike.
    pub payload: Option<&'a str>,
}

impl<'a> Binding<'a> {
    /// For an action that is never asked about twice.
    pub const fn once(action: &'a str) -> Self {
        Self {
            action,
            payload: None,
        }
    }

    /// For an action whose asker may have to repeat the question.
    pub const fn to(action: &'a str, payload: &'a str) -> Self {
        Self {
            action,
            payload: Some(payload),
        }
    }
}

/// A new authenticator secret, 160 random bits.
pub(super) fn new_secret() -> Zeroizing<[u8; SECRET_BYTES]> {
    Zeroizing::new(crate::secrets::random())
}

/// The authenticator of a secret: SHA-1, six digits, 30 seconds, one step before and after (RFC 6238, and what every
/// authenticator app supports).
pub(super) fn authenticator(secret: &[u8], issuer: &str, account: &str) -> Result<Totp, String> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(1)
        .with_issuer(Some(issuer.to_owned()))
        .with_account_name(account.to_owned())
        .build()
        .map_err(|error| error.to_string())
}

/// The time step for which the authenticator shows this code around `now`.
pub(super) fn step_of(totp: &Totp, digits: &str, now: Timestamp) -> Option<u64> {
    totp.check(digits, u64::try_from(now.timestamp()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        ferrex_time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn rfc_6238_codes_are_found_at_their_step() {
        let totp = authenticator(b"12345678901234567890", "Ferrex", "anna@example.org").unwrap();
        // The last six digits of the RFC's test vectors.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(
                step_of(&totp, code, at(seconds)),
                Some(u64::try_from(seconds / 30).unwrap())
            );
        }
    }

    #[test]
    fn a007_two_steps_away_is_refused() {
        let totp = authenticator(b"12345678901234567890", "Ferrex", "anna@example.org").unwrap();
        let code = "081804"; // of step 1111111109 / 30
        for (shift, taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(
                step_of(&totp, code, at(1_111_111_109 + shift)).is_some(),
                taken,
                "{shift}"
            );
        }
    }

    #[test]
    fn codes_are_told_apart_by_form() {
        assert!(matches!(Code::parse("123 456"), Some(Code::Totp(_))));
        assert!(matches!(
            Code::parse(&RecoveryCode::generate().reveal()),
            Some(Code::Recovery(_))
        ));
        for text in [
            "",
            "12345",
            "1234567",
            "12345a",
            "１２３４５６",
            "null",
            "true",
            "[]",
            &"1".repeat(10_000),
        ] {
            assert!(Code::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_entry_for_the_app_names_issuer_and_account() {
        let secret = new_secret();
        let url = authenticator(secret.as_slice(), "Ferrex", "anna@example.org")
            .unwrap()
            .to_url()
            .unwrap();
        assert!(
            url.starts_with("otpauth://totp/Ferrex:anna%40example.org?secret="),
            "{url}"
        );
        assert!(url.contains("issuer=Ferrex"), "{url}");
    }
}
