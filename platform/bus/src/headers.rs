use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// Headers of a message, in order; values are bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Bytes)>);

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

    /// Appends a header.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), &value[..]))
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
                Some(Value::String(text)) => headers.push(name, text.clone().into_bytes()),
                Some(other) => {
                    let coded = other.get("base64").and_then(Value::as_str).unwrap_or_default();
                    if let Ok(bytes) = STANDARD.decode(coded) {
                        headers.push(name, bytes);
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
