//! What every message has in common: a type, a topic, an identity, and the headers that carry them.
//!
//! The envelope is CloudEvents 1.0 in its binary mode over Kafka: attributes in headers, the JSON body bare. Requests
//! and replies use the headers of NestJS, so that both kinds of service can share one Kafka.

use std::fmt;
use std::str::FromStr;

use bytestring::ByteString;
use ferrex_ids::MessageId;
use ferrex_time::{SecondsFormat, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message that can travel on the bus: an event (a fact, past tense) or the body of a [`Request`].
///
/// Within a topic's major version a type only grows: new fields are optional, old ones keep their meaning.
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type's name for ever, such as `payment.withdrawal.confirmed`.
    const TYPE: &'static str;
    /// Where it is published: `<service>.<aggregate>.v<major>`, for requests `<service>.requests.v1`.
    const TOPIC: &'static str;
}

/// A message that is answered.
pub trait Request: Message {
    /// What the answer holds when the request succeeds.
    type Reply: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// Names of the headers, as they stand on the wire.
pub mod header {
    /// Version of CloudEvents; always [`super::SPEC_VERSION`].
    pub const SPEC_VERSION: &str = "ce_specversion";
    /// The message's id, `msg_…`.
    pub const ID: &str = "ce_id";
    /// The message's type, [`super::Message::TYPE`].
    pub const TYPE: &str = "ce_type";
    /// The service that published it.
    pub const SOURCE: &str = "ce_source";
    /// When the fact became true, RFC 3339.
    pub const TIME: &str = "ce_time";
    /// Media type of the body.
    pub const CONTENT_TYPE: &str = "content-type";
    /// W3C trace context of the unit of work that published it.
    pub const TRACE_PARENT: &str = "traceparent";
    /// Unix milliseconds after which nobody waits for the answer any more.
    pub const DEADLINE: &str = "ferrex_deadline";
    /// Joins an answer to its request.
    pub const CORRELATION: &str = "kafka_correlationId";
    /// Topic to which the answer goes.
    pub const REPLY_TOPIC: &str = "kafka_replyTopic";
    /// Partition of that topic, in decimal.
    pub const REPLY_PARTITION: &str = "kafka_replyPartition";
    /// Present on an answer that is a failure; holds it as JSON.
    pub const FAULT: &str = "kafka_nest-err";
    /// Present on the last answer to a request; one zero byte.
    pub const DISPOSED: &str = "kafka_nest-is-disposed";
}

/// The version of CloudEvents that is spoken.
pub const SPEC_VERSION: &str = "1.0";
/// The media type of every body.
pub const JSON: &str = "application/json";

/// The identity of one message: the CloudEvents attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Identity; the same for every delivery of the message.
    pub id: MessageId,
    /// [`Message::TYPE`].
    pub message_type: ByteString,
    /// The service that published it.
    pub source: ByteString,
    /// When the fact became true.
    pub at: Timestamp,
    /// Trace context, if the publisher had one.
    pub traceparent: Option<ByteString>,
}

/// Why headers hold no envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The header is absent.
    Missing(&'static str),
    /// The header is there and not of its form.
    Malformed(&'static str),
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "header {name} is missing"),
            Self::Malformed(name) => write!(f, "header {name} is malformed"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

impl Envelope {
    /// The headers that carry this envelope.
    pub fn into_headers(self) -> impl Iterator<Item = (&'static str, ByteString)> {
        let time = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let headers = [
            (header::SPEC_VERSION, ByteString::from_static(SPEC_VERSION)),
            (header::ID, self.id.to_string().into()),
            (header::TYPE, self.message_type),
            (header::SOURCE, self.source),
            (header::TIME, time.into()),
            (header::CONTENT_TYPE, ByteString::from_static(JSON)),
        ];
        let traceparent = self.traceparent.map(|text| (header::TRACE_PARENT, text));
        headers.into_iter().chain(traceparent)
    }

    /// Reads an envelope; `find` answers the text of a header.
    pub fn from_headers<'a>(find: impl Fn(&str) -> Option<&'a str>) -> Result<Self, EnvelopeError> {
        let need = |name: &'static str| find(name).ok_or(EnvelopeError::Missing(name));
        Ok(Self {
            id: MessageId::from_str(need(header::ID)?).map_err(|_| EnvelopeError::Malformed(header::ID))?,
            message_type: need(header::TYPE)?.into(),
            source: need(header::SOURCE)?.into(),
            at: Timestamp::from_str(need(header::TIME)?)
                .map_err(|_| EnvelopeError::Malformed(header::TIME))?,
            traceparent: find(header::TRACE_PARENT).map(ByteString::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: MessageId::from_uuid(uuid::Uuid::from_u128(0x018b_cfe5_6800_7000_8000_0000_0000_0001)),
            message_type: "test.thing.happened".into(),
            source: "test".into(),
            at: ferrex_time::from_micros(1_700_000_000_123_456),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        }
    }

    #[test]
    fn headers_and_envelope_are_inverse() {
        let headers: Vec<_> = envelope().into_headers().collect();
        let find = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, text)| &**text)
        };
        assert_eq!(Envelope::from_headers(find), Ok(envelope()));
    }

    #[test]
    fn a_missing_header_is_named() {
        assert_eq!(
            Envelope::from_headers(|_| None),
            Err(EnvelopeError::Missing("ce_id"))
        );
    }
}
