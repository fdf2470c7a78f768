//! What an event is and what it is ordered by.

use std::collections::BTreeMap;

use ferrex_ids::InboundEventId;
use ferrex_time::Timestamp;
use serde_json::Value;

use super::signature::Secret;

/// The headers that are kept: what was signed, and what the body is.
pub(crate) const KEPT_HEADERS: [&str; 4] = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "content-type",
];

/// Kept headers by name.
pub(crate) type Headers = BTreeMap<String, String>;

/// An outside system.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) secrets: Vec<Secret>,
    pub(crate) tolerance_seconds: u32,
    pub(crate) order_key_pointer: Option<String>,
}

/// An event with a valid signature.
#[derive(Clone, Debug)]
pub(crate) struct InboundEvent {
    pub(crate) id: InboundEventId,
    pub(crate) source: String,
    pub(crate) event_id: String,
    pub(crate) received_at: Timestamp,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) order_key: String,
}

/// What became of an event with a valid signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored and on its way.
    New(InboundEventId),
    /// It was stored before; nothing more happens.
    Duplicate(InboundEventId),
}

impl Accepted {
    /// Our id of it.
    pub const fn id(self) -> InboundEventId {
        match self {
            Self::New(id) | Self::Duplicate(id) => id,
        }
    }
}

/// The longest part of an order key that comes from outside.
const OBJECT_CHARS_MAX: usize = 100;

/// What the event is ordered by: its source, and the object that the body names at `pointer` if it does.
pub(crate) fn order_key(source: &str, pointer: Option<&str>, body: &[u8]) -> String {
    let object = pointer.and_then(|pointer| {
        let body: Value = serde_json::from_slice(body).ok()?;
        match body.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    });
    match object {
        Some(object) => {
            let object: String = object
                .chars()
                .filter(|c| !c.is_control())
                .take(OBJECT_CHARS_MAX)
                .collect();
            format!("{source}/{object}")
        }
        None => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::order_key;

    #[test]
    fn events_are_ordered_by_the_object_they_name() {
        let key = |body: &str| order_key("identity", Some("/data/reference"), body.as_bytes());
        assert_eq!(key(r#"{"data":{"reference":"ver_1"}}"#), "identity/ver_1");
        assert_eq!(key(r#"{"data":{"reference":7}}"#), "identity/7");
        for body in ["", "{", "{}", r#"{"data":{"reference":null}}"#, r#"{"data":[1]}"#] {
            assert_eq!(key(body), "identity", "{body}");
        }
        let long = format!(r#"{{"data":{{"reference":"a\u0000{}"}}}}"#, "x".repeat(1_000));
        assert_eq!(key(&long), format!("identity/a{}", "x".repeat(99)));
        assert_eq!(order_key("bank", None, b"{}"), "bank");
    }
}
