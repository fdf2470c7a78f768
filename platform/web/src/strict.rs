//! JSON read strictly.
//!
//! An object is an object and never a list. Before a body becomes a type it is walked once: nothing in it may stand twice, be nested too deep, be a number that
//! some reader would round, or be text that PostgreSQL cannot store. So every service, and every other program that reads
//! the same bytes, sees the same thing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use crate::objects::Objects;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Levels of nesting that a body may have.
const DEPTH_MAX: usize = 32;
/// 2^53 - 1, the largest integer that every reader of JSON keeps.
const INTEGER_MAX: u64 = (1 << 53) - 1;
/// A message quotes the input, so it is cut.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// It is not JSON.
    #[error("the body is not JSON: {0}")]
    Malformed(String),
    /// A field is at fault.
    #[error("{}{message}", if field.is_empty() { String::new() } else { format!("`{field}`: ") })]
    Field {
        /// Path of the field; empty for the body itself.
        field: String,
        /// What is wrong and what is allowed.
        message: String,
    },
}

/// Reads JSON as a `T`, strictly.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StrictError> {
    check(bytes)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        field_error(if path == "." { "" } else { &path }, &error.into_inner())
    })
}

fn check(bytes: &[u8]) -> Result<(), StrictError> {
    let path = RefCell::new(String::new());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let result = Checked {
        path: &path,
        depth: 0,
    }
    .deserialize(&mut reader)
    .and_then(|()| reader.end());
    result.map_err(|error| {
        if error.is_data() {
            field_error(&path.borrow(), &error)
        } else {
            StrictError::Malformed(error.to_string())
        }
    })
}

/// The error without its place in the text, which the field replaces. Where serde speaks of a field of an object, that
/// field is the one at fault and not the object.
fn field_error(path: &str, error: &serde_json::Error) -> StrictError {
    let text = error.to_string();
    let message = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(message, _)| message);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split('`').next());
    let field = match named {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None => path.to_owned(),
    };
    StrictError::Field {
        field: cut(&field),
        message: cut(message),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Walks one value. On an error `path` stays where the error is.
#[derive(Clone, Copy)]
struct Checked<'a> {
    path: &'a RefCell<String>,
    depth: usize,
}

impl Checked<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        if value <= INTEGER_MAX {
            Ok(())
        } else {
            Err(E::custom(TOO_BIG))
        }
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.visit_u64(value.unsigned_abs())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact as a float")]
        if value.abs() <= INTEGER_MAX as f64 {
            Ok(())
        } else {
            Err(E::custom(TOO_BIG))
        }
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            Err(E::custom("the character U+0000 is not allowed"))
        } else {
            Ok(())
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let length = self.path.borrow().len();
        for index in 0usize.. {
            write!(self.path.borrow_mut(), "[{index}]").map_err(A::Error::custom)?;
            if items.next_element_seed(inner)?.is_none() {
                break;
            }
            self.path.borrow_mut().truncate(length);
        }
        self.path.borrow_mut().truncate(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let length = self.path.borrow().len();
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !self.path.borrow().is_empty() {
                self.path.borrow_mut().push('.');
            }
            self.path.borrow_mut().push_str(&key);
            self.visit_str(&key)?;
            if !seen.insert(key) {
                return Err(A::Error::custom("stands twice in the same object"));
            }
            entries.next_value_seed(inner)?;
            self.path.borrow_mut().truncate(length);
        }
        Ok(())
    }
}

const TOO_BIG: &str = "a JSON number beyond 2^53 loses digits; send large numbers as text";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[expect(dead_code, reason = "only its reading is of interest")]
        count: u32,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(default)]
        #[expect(dead_code, reason = "only its reading is of interest")]
        note: Option<String>,
        #[expect(dead_code, reason = "only its reading is of interest")]
        items: Vec<Item>,
    }

    fn refused(json: &str) -> (String, String) {
        match from_slice::<Order>(json.as_bytes()) {
            Err(StrictError::Field { field, message }) => (field, message),
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn the_field_at_fault_is_named_with_what_is_allowed() {
        let cases = [
            ("{}", "items", "missing field"),
            (r#"{"items":[{}]}"#, "items[0].count", "missing field"),
            (
                r#"{"items":[{"count":1},{"count":"2"}]}"#,
                "items[1].count",
                "expected u32",
            ),
            (r#"{"items":[{"count":-1}]}"#, "items[0].count", "expected u32"),
            (r#"{"items":[{"count":1.5}]}"#, "items[0].count", "expected u32"),
            (
                r#"{"items":[],"is_admin":true}"#,
                "is_admin",
                "expected `note` or `items`",
            ),
            (
                r#"{"items":[{"count":1,"x":2}]}"#,
                "items[0].x",
                "expected `count`",
            ),
            (r#"{"items":{}}"#, "items", "expected a sequence"),
            (r#"{"items":[[1]]}"#, "items[0]", "expected struct Item"),
            ("[null,[]]", "", "expected struct Order"),
            ("null", "", "expected struct Order"),
        ];
        for (json, field, message) in cases {
            let (got_field, got_message) = refused(json);
            assert_eq!(got_field, field, "{json}: {got_message}");
            assert!(got_message.contains(message), "{json}: {got_message}");
        }
    }

    #[test]
    fn f109_json_that_readers_see_differently_is_refused() {
        for (json, field) in [
            (r#"{"items":[],"items":[]}"#, "items"),
            (r#"{"items":[{"count":1,"count":2}]}"#, "items[0].count"),
            (r#"{"items":[{"count":9007199254740992}]}"#, "items[0].count"),
            (
                r#"{"items":[{"count":100000000000000000000000000000000000000000}]}"#,
                "items[0].count",
            ),
            (r#"{"items":[],"note":"a\u0000b"}"#, "note"),
        ] {
            assert_eq!(refused(json).0, field, "{json}");
        }
        let deep = format!("{{\"note\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(refused(&deep).1.contains("32 levels"));
        for malformed in [
            r#"{"note":"\ud800"}"#,
            "{\"note\":\"\u{1}\"}",
            "{'a':1}",
            "",
            "{}}",
            "{\"items\":[1e400]}",
            "NaN",
        ] {
            assert!(
                matches!(
                    from_slice::<Order>(malformed.as_bytes()),
                    Err(StrictError::Malformed(_))
                ),
                "{malformed}"
            );
        }
        assert!(from_slice::<Order>(b"{\"note\":\"\xff\"}").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = from_slice::<Order>(&bytes);
        }
    }
}
