use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ferrex_contracts::envelope::header;
use serde_json::{Value, json};

/// Headers of a message, in order; values are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, Bytes)>);

/// Names that need no memory of their own.
const KNOWN: [&str; 12] = [
    header::SPEC_VERSION,
    header::ID,
    header::TYPE,
    header::SOURCE,
    header::TIME,
    header::CONTENT_TYPE,
    header::TRACE_PARENT,
    header::DEADLINE,
    header::CORRELATION,
    header::REPLY_TOPIC,
    header::REPLY_PARTITION,
    header::DISPOSED,
];

impl Headers {
    /// The bytes of the first header of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &value[..])
    }

    /// The same as text, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A name as headers hold it.
    pub(crate) fn name(name: &str) -> Cow<'static, str> {
        KNOWN
            .into_iter()
            .find(|known| *known == name)
            .map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed)
    }

    /// Appends a header.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &value[..]))
    }

    /// As JSON that a person can read: pairs of name and text, or of name and `{"base64": …}` where the value is no
    /// printable text.
    pub fn to_json(&self) -> Value {
        let pair = |(name, value): (&str, &[u8])| match std::str::from_utf8(value) {
            Ok(text) if !text.contains('\0') => json!([name, text]),
            _ => json!([name, { "base64": STANDARD.encode(value) }]),
        };
        Value::Array(self.iter().map(pair).collect())
    }

    /// Reads what [`Self::to_json`] wrote; what has another form is left out.
    pub fn from_json(value: &Value) -> Self {
        let mut headers = Self::default();
        for pair in value.as_array().into_iter().flatten() {
            let Some(name) = pair.get(0).and_then(Value::as_str) else {
                continue;
            };
            match pair.get(1) {
                Some(Value::String(text)) => headers.push(Self::name(name), text.clone().into_bytes()),
                Some(other) => {
                    let coded = other.get("base64").and_then(Value::as_str).unwrap_or_default();
                    if let Ok(bytes) = STANDARD.decode(coded) {
                        headers.push(Self::name(name), bytes);
                    }
                }
                None => {}
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_survive_json() {
        let mut headers = Headers::default();
        headers.push("ce_id", "msg_1");
        headers.push("kafka_nest-is-disposed", vec![0]);
        headers.push("broken", vec![0xff, 0xfe]);
        headers.push("ce_id", "again");
        assert_eq!(Headers::from_json(&headers.to_json()), headers);
        assert_eq!(headers.text("ce_id"), Some("msg_1"));
    }
}
