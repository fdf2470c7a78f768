use ferrex_ids::StaffId;
use ferrex_time::Timestamp;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::Error;

const SECRET_BYTES: usize = 20;

/// A member of staff.
#[derive(Clone, Debug)]
pub struct Staff {
    /// Who.
    pub id: StaffId,
    /// What they log in with.
    pub name: StaffName,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when they may not log in.
    pub disabled_at: Option<Timestamp>,
}

/// A log-in name: lower case, so that no two differ by case alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffName(String);

impl StaffName {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let made_of = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if (2..=32).contains(&text.len()) && begins && made_of {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::NameForm)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A new authenticator secret, 160 random bits.
pub(super) fn new_secret() -> Zeroizing<[u8; SECRET_BYTES]> {
    Zeroizing::new(crate::secrets::random())
}

/// The authenticator of a secret: SHA-1, six digits, 30 seconds, one step before and after (RFC 6238, and what every
/// authenticator app supports).
pub(crate) fn authenticator(secret: &[u8], issuer: &str, account: &str) -> Result<Totp, String> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(1)
        .with_issuer(Some(issuer.to_owned()))
        .with_account_name(account.to_owned())
        .build()
        .map_err(|error| error.to_string())
}

/// The time step for which the authenticator shows this code around `now`; spaces in the code are left out.
pub(crate) fn step_of(totp: &Totp, code: &str, now: Timestamp) -> Option<i64> {
    let digits: String = code.chars().filter(|c| *c != ' ').take(7).collect();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let step = totp.check(&digits, u64::try_from(now.timestamp()).ok()?)?;
    i64::try_from(step).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_lower_case() {
        for name in ["olga", "o2", "a.b-c_d", "0x"] {
            assert_eq!(StaffName::parse(name).unwrap().as_str(), name);
        }
        let long = "a".repeat(33);
        for name in ["", "a", "Olga", "-olga", "ol ga", "olgä", "olga\n", long.as_str()] {
            assert!(StaffName::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a007_a_code_is_good_one_step_around_its_own() {
        let totp = authenticator(b"12345678901234567890", "Ferrex", "olga").unwrap();
        let at = |seconds: i64| ferrex_time::from_micros((1_111_111_109 + seconds) * 1_000_000);
        for (shift, taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(step_of(&totp, "081 804", at(shift)).is_some(), taken, "{shift}");
        }
        for code in ["", "08180", "0818044", "08180x", "０８１８０４"] {
            assert_eq!(step_of(&totp, code, at(0)), None);
        }
    }
}
