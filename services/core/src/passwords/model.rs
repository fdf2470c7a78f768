use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

/// Fewest characters of a password.
pub const LENGTH_MIN: usize = 10;
/// Most characters of a password.
pub const LENGTH_MAX: usize = 128;
/// Words that make a password here easier to guess than the estimator knows.
const HOUSE_WORDS: &[&str] = &["ferrex", "wallet", "exchange", "crypto", "bitcoin", "ethereum"];

/// Letters and digits that must be left when known words are taken out. The estimator counts each word that it finds as
/// a choice among thousands, which a guesser who knows the words need not make.
const OWN_LETTERS_MIN: usize = 6;

/// A password exactly as it was typed: nothing trimmed, folded or normalised.
pub struct Password(Zeroizing<String>);

/// What a guesser knows about the person.
#[derive(Clone, Debug, Default)]
pub struct PasswordContext {
    words: Vec<String>,
}

/// Why a password is not accepted. The texts are written for the person who chose it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too few characters.
    #[error("the password has {got} characters; at least {LENGTH_MIN} are needed")]
    TooShort {
        /// Characters it has.
        got: usize,
    },
    /// Too many characters.
    #[error("the password is too long; at most {LENGTH_MAX} characters are allowed")]
    TooLong,
    /// It would be guessed soon.
    #[error("the password is too easy to guess; {advice}")]
    Guessable {
        /// What to do about it.
        advice: String,
    },
}

impl Password {
    /// Takes a password as it was typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The bytes to hash.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it could be anybody's password. One that could not is wrong without being hashed, which keeps a megabyte
    /// of text out of the hash function.
    pub fn is_plausible(&self) -> bool {
        self.0.chars().take(LENGTH_MAX + 1).count() <= LENGTH_MAX
    }

    /// The cheap rules, for the edge.
    pub fn check_length(&self) -> Result<(), PasswordError> {
        let got = self.0.chars().take(LENGTH_MAX + 1).count();
        match got {
            ..LENGTH_MIN => Err(PasswordError::TooShort { got }),
            LENGTH_MIN..=LENGTH_MAX => Ok(()),
            _ => Err(PasswordError::TooLong),
        }
    }

    /// All rules for a new password. Takes milliseconds: run it where blocking is allowed.
    pub fn check(&self, context: &PasswordContext) -> Result<(), PasswordError> {
        self.check_length()?;
        let mut words: Vec<&str> = HOUSE_WORDS.to_vec();
        words.extend(context.words.iter().map(String::as_str));
        if own_part(&self.0, &words) < OWN_LETTERS_MIN {
            let advice =
                "do not build it from your name, your address or the name of this service".to_owned();
            return Err(PasswordError::Guessable { advice });
        }
        let estimate = zxcvbn(&self.0, &words);
        if estimate.score() >= Score::Three {
            return Ok(());
        }
        let advice = estimate.feedback().and_then(|feedback| {
            let warning = feedback.warning().map(|warning| warning.to_string());
            warning.or_else(|| feedback.suggestions().first().map(ToString::to_string))
        });
        let advice = advice.unwrap_or_else(|| "use several uncommon words".to_owned());
        Err(PasswordError::Guessable {
            advice: lower_first(advice.trim_end_matches('.')),
        })
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

impl PasswordContext {
    /// What the address and the user name give away.
    pub fn new(email: &str, user_name: &str) -> Self {
        let mut words = vec![email.to_lowercase(), user_name.to_owned()];
        words.extend(email.split('@').map(str::to_lowercase));
        words.extend(
            email
                .split(['@', '.', '+', '-', '_'])
                .filter(|part| part.len() > 2)
                .map(str::to_lowercase),
        );
        Self { words }
    }
}

/// Letters and digits of a password outside of known words; all of them when it holds no such word.
fn own_part(password: &str, words: &[&str]) -> usize {
    let mut rest = password.to_lowercase();
    let mut longest_first: Vec<&&str> = words.iter().filter(|word| word.len() > 3).collect();
    longest_first.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut found = false;
    for word in longest_first {
        if rest.contains(*word) {
            (rest, found) = (rest.replace(*word, " "), true);
        }
    }
    if found {
        rest.chars().filter(|letter| letter.is_alphanumeric()).count()
    } else {
        usize::MAX
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), PasswordError> {
        Password::new(text.to_owned()).check(&PasswordContext::new("anna.smith@example.org", "anna_s"))
    }

    #[test]
    fn a004_guessable_passwords_are_refused() {
        for text in [
            "password12",
            "1234567890",
            "qwertyuiop",
            "iloveyou123",
            "ferrexwallet",
            "Ferrex2026!",
            "anna.smith1",
            "annasmith26",
            "ferrex wallet",
            "Anna-Smith-2026",
            "aaaaaaaaaaaa",
            "football2024",
            "abcdefghijkl",
        ] {
            assert!(
                matches!(check(text), Err(PasswordError::Guessable { .. })),
                "{text}: {:?}",
                check(text)
            );
        }
    }

    #[test]
    fn a004_length_counts_characters_not_bytes() {
        assert_eq!(check("kurz"), Err(PasswordError::TooShort { got: 4 }));
        assert_eq!(check(""), Err(PasswordError::TooShort { got: 0 }));
        assert_eq!(check(&"x9!Qr".repeat(26)), Err(PasswordError::TooLong));
        assert_eq!(check("🦀🎺🌵🧊🪁🛶🧭🥨🪕🐙🧲🕯️"), Ok(()));
    }

    #[test]
    fn a004_long_phrases_and_odd_characters_are_accepted() {
        for text in [
            "correct staple verdant mule",
            " tigerlily Umbrage 7 ",
            "zwölf Ölmützen-Gräber",
            &"tr0ut ".repeat(21),
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        assert_eq!(
            format!("{:?}", Password::new("hunter2hunter2".into())),
            "Password(..)"
        );
    }
}
