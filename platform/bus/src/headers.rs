use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ferrex_contracts::envelope::{Envelope, header};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Headers of a message, in order; values are bytes. Clones share them.
///
/// As JSON, which a person can read, they are pairs of name and text, or of name and `{"base64": …}` where the value is no
/// printable text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Arc<Vec<Header>>);

type Header = (Cow<'static, str>, Bytes);

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
    /// The headers of an envelope.
    pub(crate) fn of(envelope: Envelope) -> Self {
        envelope
            .into_headers()
            .map(|(name, text)| (Cow::Borrowed(name), text.into_bytes()))
            .collect()
    }

    /// The bytes of the first header of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.value(name).map(|value| &value[..])
    }

    /// The same, to be shared.
    pub(crate) fn value(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The same as text, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
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
        Arc::make_mut(&mut self.0).push((name.into(), value.into()));
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &value[..]))
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        Self(Arc::new(headers.into_iter().collect()))
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(name, value)| (name, Shown(value))))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let headers = Vec::<(Name, Value)>::deserialize(deserializer)?;
        Ok(headers
            .into_iter()
            .map(|(name, value)| (name.0, value.0))
            .collect())
    }
}

/// A value as JSON shows it.
struct Shown<'v>(&'v [u8]);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) if !text.contains('\0') => serializer.serialize_str(text),
            _ => serializer.collect_map([(BASE64, STANDARD.encode(self.0))]),
        }
    }
}

const BASE64: &str = "base64";

struct Name(Cow<'static, str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header's name")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(Headers::name(name)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

struct Value(Bytes);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrBytes;
        impl<'de> Visitor<'de> for TextOrBytes {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "text, or {{\"{BASE64}\": …}}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value(Bytes::copy_from_slice(text.as_bytes())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let coded = map.next_entry::<String, String>()?;
                let bytes = coded
                    .filter(|(form, _)| form == BASE64)
                    .and_then(|(_, coded)| STANDARD.decode(coded).ok());
                bytes
                    .map(|bytes| Value(bytes.into()))
                    .ok_or_else(|| de::Error::custom(format!("expected {BASE64}")))
            }
        }
        deserializer.deserialize_any(TextOrBytes)
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
        let text = serde_json::to_string(&headers).unwrap();
        assert_eq!(serde_json::from_str::<Headers>(&text).unwrap(), headers);
        assert_eq!(
            text,
            r#"[["ce_id","msg_1"],["kafka_nest-is-disposed",{"base64":"AA=="}],["broken",{"base64":"//4="}],["ce_id","again"]]"#
        );
        assert_eq!(headers.text("ce_id"), Some("msg_1"));
    }
}
