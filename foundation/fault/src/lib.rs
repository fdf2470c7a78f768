//! What went wrong, in a form that every edge understands: a kind, a stable dotted code, a text for the caller, the
//! fields at fault.
//!
//! A module keeps its own error enum and implements [`Classify`] for it; `?` then turns it into a [`Fault`] where it
//! leaves the crate. One place maps the kind to HTTP (`platform/web`), one to a message's disposition
//! (`platform/bus`). The text of a [`Kind::Internal`] fault is for the log only; edges do not show it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure it is, which decides the HTTP status and whether a message is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The input is wrong and will stay wrong.
    Invalid,
    /// Who asks is not known.
    Unauthenticated,
    /// Who asks may not.
    Forbidden,
    /// There is no such thing, or who asks may not know of it.
    NotFound,
    /// It does not fit the present state.
    Conflict,
    /// A limit or quota is used up.
    Exhausted,
    /// Something needed is away; the same call may succeed later.
    Unavailable,
    /// A defect.
    Internal,
}

impl Kind {
    /// Whether the same call may succeed later without any change by the caller.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Internal)
    }
}

/// A field of the input that is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFault {
    /// Path of the field, such as `amount` or `items[2].name`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// An error that knows its kind and code.
pub trait Classify: Error {
    /// What kind of failure it is.
    fn kind(&self) -> Kind;
    /// The stable dotted code, such as `payment.withdrawal.limit_exceeded`.
    fn code(&self) -> &'static str;
    /// The fields of the input at fault.
    fn fields(&self) -> Vec<FieldFault> {
        Vec::new()
    }
    /// In how many seconds the same call is worth repeating, where that is known.
    fn retry_after_s(&self) -> Option<u32> {
        None
    }
}

/// A failure on its way out of a crate.
///
/// It deliberately is no [`Error`] itself, so that every [`Classify`] error converts into it by `?`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of failure it is.
    pub kind: Kind,
    /// The stable dotted code.
    pub code: Cow<'static, str>,
    /// One sentence for the caller (for the log, when internal).
    pub detail: String,
    /// The fields of the input at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldFault>,
    /// In how many seconds the same call is worth repeating, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    /// The cause, for the log of whoever handles it; not sent anywhere.
    #[serde(skip)]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A fault without fields and cause.
    pub fn new(kind: Kind, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code: Cow::Borrowed(code),
            detail: detail.into(),
            fields: Vec::new(),
            retry_after_s: None,
            source: None,
        }
    }

    /// Input that is wrong in one field.
    pub fn invalid_field(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(Kind::Invalid, code, message.clone()).with_field(field, message)
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.fields.push(FieldFault {
            field: field.into(),
            message: message.into(),
        });
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The text and the texts of all causes, for a log line.
    pub fn chain(&self) -> String {
        let mut text = self.detail.clone();
        let mut cause: Option<&dyn Error> = self.source.as_ref().map(|source| &**source as &dyn Error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl<E: Classify + Send + Sync + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        let mut fault = Self::new(error.kind(), error.code(), error.to_string());
        fault.fields = error.fields();
        fault.retry_after_s = error.retry_after_s();
        // The error's own text is the detail already; only what lies below it is a cause worth printing.
        fault.source = error.source().map(|cause| cause.to_string().into());
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Broken(std::num::ParseIntError);
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("reading the height")
        }
    }
    impl Error for Broken {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    impl Classify for Broken {
        fn kind(&self) -> Kind {
            Kind::Unavailable
        }
        fn code(&self) -> &'static str {
            "test.height.unreadable"
        }
    }

    #[test]
    fn a_cause_is_printed_once() {
        let fault = Fault::from(Broken("x".parse::<u8>().unwrap_err()));
        assert_eq!(fault.chain(), "reading the height: invalid digit found in string");
        assert_eq!(fault.to_string(), "reading the height (test.height.unreadable)");
    }

    #[test]
    fn a_fault_survives_the_wire_without_its_cause() {
        let fault = Fault::invalid_field("test.bad", "amount", "too small").with_source("secret");
        let back: Fault = serde_json::from_str(&serde_json::to_string(&fault).unwrap()).unwrap();
        assert_eq!(
            (back.kind, &*back.code, back.fields.len()),
            (Kind::Invalid, "test.bad", 1)
        );
        assert!(back.source.is_none());
    }
}
