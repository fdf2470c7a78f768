//! Between the library's types and ours.

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use rdkafka::{Message as _, Timestamp as KafkaTime};

use crate::Headers;
use crate::transport::{Incoming, Partition};

pub(super) fn to_kafka(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
        all.insert(Header {
            key,
            value: Some(value),
        })
    })
}

pub(super) fn from_kafka(message: &BorrowedMessage<'_>) -> Incoming {
    let mut headers = Headers::default();
    for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
        headers.push(
            header.key,
            Bytes::copy_from_slice(header.value.unwrap_or_default()),
        );
    }
    let micros = match message.timestamp() {
        KafkaTime::CreateTime(ms) | KafkaTime::LogAppendTime(ms) => ms.saturating_mul(1_000),
        KafkaTime::NotAvailable => 0,
    };
    Incoming {
        partition: Partition::new(message.topic(), message.partition()),
        offset: message.offset(),
        key: message.key().map(Bytes::copy_from_slice),
        headers,
        body: message.payload().map(Bytes::copy_from_slice),
        at: ferrex_time::from_micros(micros),
    }
}
