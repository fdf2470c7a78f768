use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that log lines and panics do not show: personal data such as an e-mail address.
///
/// Serialisation is not redacted, since what goes on a wire goes there on purpose. Secrets belong into
/// `secrecy::SecretString` instead, which also wipes them.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted<T>(pub T);

impl<T> Redacted<T> {
    /// The value, to be used and not to be logged.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redacted_value_is_not_printed_but_travels() {
        let mail = Redacted("a@example.org".to_owned());
        assert_eq!(format!("{mail} {mail:?}"), "[redacted] [redacted]");
        assert_eq!(serde_json::to_string(&mail).unwrap(), "\"a@example.org\"");
        assert_eq!(mail.into_inner(), "a@example.org");
    }
}
