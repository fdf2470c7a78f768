use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use ferrex_contracts::Message;
use ferrex_contracts::envelope::{Envelope, header};
use ferrex_ids::MessageId;
use ferrex_time::Timestamp;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::transport::{Incoming, Record};
use crate::{Error, Headers, trace};

/// The most bytes a body may have; a broker takes one megabyte with everything around it.
pub(crate) const BODY_BYTES_MAX: usize = 900_000;

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Identity, the same however often it is sent.
    pub id: MessageId,
    /// Where it goes.
    pub topic: ByteString,
    /// Its type's name.
    pub message_type: ByteString,
    /// The aggregate it is about; messages of one key keep their order. Empty: no order.
    pub key: ByteString,
    /// When the fact became true.
    pub at: Timestamp,
    /// The service that says it: its schema's name.
    pub source: ByteString,
    /// Trace context.
    pub traceparent: Option<ByteString>,
    /// JSON.
    pub body: Bytes,
}

impl Outgoing {
    /// An event, with the trace context of the present unit of work.
    pub fn event<M: Message>(
        source: &'static str,
        id: MessageId,
        key: impl Display,
        at: Timestamp,
        message: &M,
    ) -> Self {
        Self {
            id,
            topic: ByteString::from_static(M::TOPIC),
            message_type: ByteString::from_static(M::TYPE),
            key: key.to_string().into(),
            at,
            source: ByteString::from_static(source),
            traceparent: trace::current(),
            body: body_of(message),
        }
    }

    pub(crate) fn check_size(&self) -> Result<(), Error> {
        let bytes = self.body.len();
        if bytes > BODY_BYTES_MAX {
            Err(Error::TooLarge {
                bytes,
                most: BODY_BYTES_MAX,
            })
        } else {
            Ok(())
        }
    }

    pub(crate) fn into_record(self) -> Record {
        let envelope = Envelope {
            id: self.id,
            message_type: self.message_type,
            source: self.source,
            at: self.at,
            traceparent: self.traceparent,
        };
        Record {
            topic: self.topic,
            partition: None,
            key: (!self.key.is_empty()).then(|| self.key.into_bytes()),
            headers: Headers::of(envelope),
            body: Some(self.body),
        }
    }
}

/// A message as JSON.
pub(crate) fn body_of<M: Message>(message: &M) -> Bytes {
    serde_json::to_vec(message)
        .expect("a message is a struct with named fields, which JSON can hold")
        .into()
}

/// A message as it came in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Identity, the same for every delivery. For a message without one of ours it is derived from what it has.
    pub id: MessageId,
    /// Where it stood.
    pub topic: Arc<str>,
    /// Its partition there.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its type's name; the topic's name when it does not say.
    pub message_type: ByteString,
    /// What it is about; empty when it does not say.
    pub key: ByteString,
    /// When the fact became true; when it was published, if it does not say.
    pub at: Timestamp,
    /// Who said it; empty when unknown.
    pub source: ByteString,
    /// Everything that came with it.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// Which attempt to handle it this is, from 1.
    pub attempt: u32,
}

/// PostgreSQL's text holds no zero byte, and what comes from outside may.
fn text_of(bytes: &Bytes) -> ByteString {
    match ByteString::try_from(bytes.clone()) {
        Ok(text) if !text.contains('\0') => text,
        _ => String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}").into(),
    }
}

impl Delivery {
    pub(crate) fn read(incoming: Incoming) -> Self {
        let Incoming {
            partition,
            offset,
            key,
            headers,
            body,
            at,
        } = incoming;
        let text = |name: &str| headers.value(name).map(text_of);
        let source = text(header::SOURCE).unwrap_or_default();
        let id = match headers.text(header::ID).map(|id| (id, id.parse())) {
            Some((_, Ok(id))) => id,
            Some((foreign, Err(_))) => derived_id(&[&source, foreign]),
            None => derived_id(&[
                &partition.topic,
                &partition.number.to_string(),
                &offset.to_string(),
            ]),
        };
        Self {
            id,
            message_type: text(header::TYPE).unwrap_or_else(|| (&*partition.topic).into()),
            key: key.as_ref().map(text_of).unwrap_or_default(),
            at: headers
                .text(header::TIME)
                .and_then(|at| at.parse().ok())
                .unwrap_or(at),
            source,
            topic: partition.topic,
            partition: partition.number,
            offset,
            headers,
            body: body.unwrap_or_default(),
            attempt: 1,
        }
    }

    /// Whether the message says its type, as everything but NestJS does.
    pub(crate) fn is_typed(&self) -> bool {
        self.headers.get(header::TYPE).is_some()
    }

    /// The trace context it came with.
    pub fn traceparent(&self) -> Option<&str> {
        self.headers.text(header::TRACE_PARENT)
    }

    /// Reads the body as a message.
    pub fn decode<M: Message>(&self) -> Result<M, Error> {
        decode(&self.body).map_err(|source| Error::Decode {
            message_type: self.message_type.to_string(),
            source,
        })
    }
}

/// Reads JSON; an empty body is null, and text that is no JSON is a string, as NestJS writes strings bare.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    let body: &[u8] = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).or_else(|error| {
        let text = std::str::from_utf8(body).map_err(|_| error)?;
        serde_json::from_value(serde_json::Value::String(text.to_owned()))
            .or_else(|_| serde_json::from_slice(body))
    })
}

/// An id for a message that has none of ours: the same parts always give the same id.
fn derived_id(parts: &[&str]) -> MessageId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    MessageId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// The bare UUID of a message id, as tables hold it.
pub(crate) fn uuid_of(id: MessageId) -> Uuid {
    id.uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Partition;

    fn incoming(headers: Headers, body: &[u8]) -> Incoming {
        Incoming {
            partition: Partition::new("hero", 1),
            offset: 7,
            key: None,
            headers,
            body: Some(Bytes::copy_from_slice(body)),
            at: ferrex_time::from_micros(1),
        }
    }

    #[test]
    fn a_message_without_headers_gets_the_same_id_each_time() {
        let first = Delivery::read(incoming(Headers::default(), b"{}"));
        let again = Delivery::read(incoming(Headers::default(), b"{}"));
        assert_eq!(first.id, again.id);
        assert_eq!((&*first.message_type, first.is_typed()), ("hero", false));
    }

    #[test]
    fn foreign_ids_differ_by_source() {
        let with = |source: &'static str| {
            let mut headers = Headers::default();
            headers.push(header::ID, "42");
            headers.push(header::SOURCE, source);
            Delivery::read(incoming(headers, b"{}")).id
        };
        assert_eq!(with("a"), with("a"));
        assert_ne!(with("a"), with("b"));
    }

    #[test]
    fn bare_text_is_a_string_and_nothing_is_null() {
        assert_eq!(decode::<String>(b"plain string").unwrap(), "plain string");
        assert_eq!(decode::<String>(b"42").unwrap(), "42");
        assert_eq!(decode::<u32>(b"42").unwrap(), 42);
        assert_eq!(decode::<Option<u32>>(b"").unwrap(), None);
        assert!(decode::<Vec<u32>>(b"{").is_err());
    }
}
