use ferrex_ids::UserId;
use ferrex_time::Timestamp;
use uuid::Uuid;

/// Most characters of an e-mail address (RFC 5321).
const EMAIL_MAX: usize = 254;
/// Names that would let a person pose as the house.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "api",
    "billing",
    "compliance",
    "ferrex",
    "help",
    "info",
    "kyc",
    "mail",
    "me",
    "moderator",
    "noreply",
    "no.reply",
    "null",
    "official",
    "operator",
    "payment",
    "payments",
    "postmaster",
    "root",
    "security",
    "staff",
    "support",
    "system",
    "treasury",
    "undefined",
    "wallet",
    "webmaster",
];

/// An e-mail address in a form that mail can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

/// Why a text is not an e-mail address that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// No name, no `@`, or no domain.
    #[error("an e-mail address looks like name@example.org")]
    Malformed,
    /// Over 254 characters, or over 64 before the `@`.
    #[error("an e-mail address has at most 254 characters, 64 of them before the @")]
    TooLong,
    /// A character that is not allowed before the `@`.
    #[error(
        "before the @ only letters a-z, digits and .!#$%&'*+/=?^_`{{|}}~- are allowed, no point first, last or doubled"
    )]
    LocalPart,
    /// No name of a domain.
    #[error(
        "after the @ a domain such as example.org is needed: letters a-z, digits, - and at least one point"
    )]
    Domain,
}

impl Email {
    /// Reads an address; spaces around it are left out, the domain is folded to lower case.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if local.is_empty() || domain.is_empty() {
            return Err(EmailError::Malformed);
        }
        if text.len() > EMAIL_MAX || local.len() > 64 {
            return Err(EmailError::TooLong);
        }
        let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
        if !local
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(atom))
        {
            return Err(EmailError::LocalPart);
        }
        let labels: Vec<&str> = domain.split('.').collect();
        let is_label = |label: &&str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let top_is_name = labels
            .last()
            .is_some_and(|top| !top.bytes().all(|byte| byte.is_ascii_digit()));
        if labels.len() < 2 || !labels.iter().all(is_label) || !top_is_name {
            return Err(EmailError::Domain);
        }
        let text = format!("{local}@{}", domain.to_ascii_lowercase());
        Ok(Self {
            key: text.to_ascii_lowercase(),
            text,
        })
    }

    /// The address to send to.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is compared: two addresses with one key are one person's.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The name by which others find a person; lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

/// Why a text is not a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// Too short or too long.
    #[error("a user name has 3 to 30 characters")]
    Length,
    /// A character that is not allowed.
    #[error("a user name consists of the letters a-z, digits, _ and .")]
    Character,
    /// It begins or ends with a sign, or has two in a row.
    #[error("a user name begins and ends with a letter or digit and has no two of _ and . in a row")]
    Shape,
    /// It is kept for the house.
    #[error("this user name is reserved, choose another")]
    Reserved,
}

impl UserName {
    /// Reads a user name; capital letters are folded.
    pub fn parse(text: &str) -> Result<Self, UserNameError> {
        let name = text.to_ascii_lowercase();
        if !(3..=30).contains(&name.chars().count()) {
            return Err(UserNameError::Length);
        }
        let is_sign = |byte: u8| matches!(byte, b'_' | b'.');
        let bytes = name.as_bytes();
        if !bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || is_sign(*byte))
        {
            return Err(UserNameError::Character);
        }
        let edges = is_sign(bytes[0]) || is_sign(bytes[bytes.len() - 1]);
        if edges || bytes.windows(2).any(|pair| is_sign(pair[0]) && is_sign(pair[1])) {
            return Err(UserNameError::Shape);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(UserNameError::Reserved);
        }
        Ok(Self(name))
    }

    /// The folded name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person as this service knows them, without what only logging in needs.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct User {
    /// Who, as the column holds it; see [`Self::id`].
    pub id: Uuid,
    /// User name.
    pub user_name: String,
    /// Where mail goes.
    pub email: String,
    /// The address folded for comparison.
    pub email_key: String,
    /// Identity level; 0 is unverified.
    pub level: i16,
    /// Since when money may not leave.
    pub frozen_at: Option<Timestamp>,
    /// Why.
    pub frozen_because: Option<String>,
    /// Whether an authenticator is enrolled.
    pub second_factor: bool,
    /// Version of the record.
    pub version: i64,
    /// Since when.
    pub created_at: Timestamp,
}

impl User {
    /// Who.
    pub fn id(&self) -> UserId {
        UserId::from_uuid(self.id)
    }

    /// Whether money may not leave.
    pub fn is_frozen(&self) -> bool {
        self.frozen_at.is_some()
    }

    /// The level as other services read it.
    pub fn level(&self) -> u8 {
        u8::try_from(self.level).unwrap_or(0)
    }

    /// The version as other services read it.
    pub fn version(&self) -> u64 {
        u64::try_from(self.version).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folded_for_comparison_only() {
        let email = Email::parse(" Anna.Smith+shop@Example.ORG\n").unwrap();
        assert_eq!(
            (email.as_str(), email.key()),
            ("Anna.Smith+shop@example.org", "anna.smith+shop@example.org")
        );
    }

    #[test]
    fn bad_addresses_are_refused_with_the_reason() {
        for (text, error) in [
            ("", EmailError::Malformed),
            ("anna", EmailError::Malformed),
            ("@example.org", EmailError::Malformed),
            ("anna@", EmailError::Malformed),
            ("anna@@example.org", EmailError::LocalPart),
            ("an na@example.org", EmailError::LocalPart),
            ("anna.@example.org", EmailError::LocalPart),
            (".anna@example.org", EmailError::LocalPart),
            ("an..na@example.org", EmailError::LocalPart),
            ("\"anna\"@example.org", EmailError::LocalPart),
            ("änna@example.org", EmailError::LocalPart),
            ("anna\r\nBcc: x@example.org", EmailError::LocalPart),
            ("anna@localhost", EmailError::Domain),
            ("anna@example..org", EmailError::Domain),
            ("anna@-example.org", EmailError::Domain),
            ("anna@exämple.org", EmailError::Domain),
            ("anna@127.0.0.1", EmailError::Domain),
            ("anna@[127.0.0.1]", EmailError::Domain),
            ("anna@example.org\0", EmailError::Domain),
        ] {
            assert_eq!(Email::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(
            Email::parse(&format!("{}@example.org", "a".repeat(65))),
            Err(EmailError::TooLong)
        );
        assert_eq!(
            Email::parse(&format!("a@{}org", "abc.".repeat(70))),
            Err(EmailError::TooLong)
        );
    }

    #[test]
    fn user_names_are_folded_and_checked() {
        assert_eq!(UserName::parse("Anna_S.99").unwrap().as_str(), "anna_s.99");
        for (text, error) in [
            ("ab", UserNameError::Length),
            ("", UserNameError::Length),
            ("abcdefghijklmnopqrstuvwxyz01234", UserNameError::Length),
            ("anna s", UserNameError::Character),
            ("anna-s", UserNameError::Character),
            ("änna", UserNameError::Character),
            ("аnna", UserNameError::Character), // a Cyrillic а
            ("anna\0", UserNameError::Character),
            ("_anna", UserNameError::Shape),
            ("anna.", UserNameError::Shape),
            ("an._na", UserNameError::Shape),
            ("Support", UserNameError::Reserved),
        ] {
            assert_eq!(UserName::parse(text), Err(error), "{text:?}");
        }
    }
}
