use rand::RngExt as _;
use zeroize::Zeroizing;

use super::{Keys, random};

/// How many digits a code in a mail has.
pub const MAIL_CODE_DIGITS: usize = 8;

/// A code that a person copies from a mail.
pub struct MailCode(Zeroizing<String>);

impl MailCode {
    /// A new code, each of the 10^8 equally likely.
    pub fn generate() -> Self {
        let number: u32 = rand::rng().random_range(0..100_000_000);
        Self(Zeroizing::new(format!("{number:08}")))
    }

    /// Reads a code; spaces and hyphens between the digits are left out. `None` unless eight digits remain.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Zeroizing<String> = Zeroizing::new(
            text.chars()
                .filter(|letter| !matches!(letter, ' ' | '-'))
                .collect(),
        );
        let is_code = digits.len() == MAIL_CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then_some(Self(digits))
    }

    /// The digits, for the mail.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What stands for it in the database; bound to its challenge, so that a hash cannot be moved to another.
    pub fn hash(&self, keys: &Keys, challenge: &[u8]) -> Vec<u8> {
        keys.hash("mail code", &[challenge, self.0.as_bytes()].concat())
    }
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS: usize = 24;

/// A code that replaces the authenticator once: 120 random bits as 24 letters.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A new code.
    pub fn generate() -> Self {
        let text = random::<LETTERS>()
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
            .collect();
        Self(Zeroizing::new(text))
    }

    /// Reads a code as people copy it: any case, with or without hyphens and spaces, o for 0, i and l for 1.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 4 * LETTERS {
            return None;
        }
        let mut letters = Zeroizing::new(String::with_capacity(LETTERS));
        for letter in text.chars().filter(|letter| !matches!(letter, ' ' | '-')) {
            let letter = match letter.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            };
            if !letter.is_ascii() || !ALPHABET.contains(&u8::try_from(letter).ok()?) {
                return None;
            }
            letters.push(letter);
        }
        (letters.len() == LETTERS).then_some(Self(letters))
    }

    /// The code in groups of four, for the person.
    pub fn reveal(&self) -> String {
        let groups: Vec<&str> = self
            .0
            .as_bytes()
            .chunks(4)
            .filter_map(|group| std::str::from_utf8(group).ok())
            .collect();
        groups.join("-")
    }

    /// What stands for it in the database.
    pub fn hash(&self, keys: &Keys) -> Vec<u8> {
        keys.hash("recovery code", self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_codes_are_read_as_people_copy_them() {
        assert_eq!(MailCode::parse("1234 5678").unwrap().reveal(), "12345678");
        assert_eq!(MailCode::parse("1234-5678").unwrap().reveal(), "12345678");
        for text in [
            "",
            "1234567",
            "123456789",
            "1234567a",
            "１２３４５６７８",
            "1234\n5678",
        ] {
            assert!(MailCode::parse(text).is_none(), "{text:?}");
        }
        assert!(MailCode::parse(MailCode::generate().reveal()).is_some());
    }

    #[test]
    fn recovery_codes_are_read_as_people_copy_them() {
        let code = RecoveryCode::generate();
        let shown = code.reveal();
        assert_eq!(shown.len(), 29);
        for text in [
            shown.clone(),
            shown.to_uppercase(),
            shown.replace('-', ""),
            shown.replace('0', "O"),
        ] {
            assert_eq!(RecoveryCode::parse(&text).unwrap().reveal(), shown, "{text}");
        }
        for text in [
            "",
            "123456",
            "uuuu-uuuu-uuuu-uuuu-uuuu-uuuu",
            &shown[1..],
            &format!("{shown}0"),
            &"0".repeat(5000),
        ] {
            assert!(RecoveryCode::parse(text).is_none(), "{text:?}");
        }
    }
}
