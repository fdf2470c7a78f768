//! Between the library's types and ours.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use rdkafka::{Message as _, Timestamp as KafkaTime};

use crate::Headers;
use crate::transport::{Incoming, Partition};

pub(super) fn to_kafka(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(
        OwnedHeaders::new_with_capacity(headers.len()),
        |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        },
    )
}

/// Copies messages out of the library: all bytes of one into one piece of memory, names of topics once.
#[derive(Default)]
pub(super) struct Reader {
    topics: Vec<Arc<str>>,
}

impl Reader {
    fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.topics.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let topic: Arc<str> = name.into();
        self.topics.push(Arc::clone(&topic));
        topic
    }

    pub fn read(&mut self, message: &BorrowedMessage<'_>) -> Incoming {
        let from = message.headers();
        let values = || from.into_iter().flat_map(|headers| headers.iter());
        let value_bytes: usize = values().map(|header| header.value.map_or(0, <[u8]>::len)).sum();
        let (key, body) = (message.key(), message.payload());
        let mut memory =
            BytesMut::with_capacity(value_bytes + key.map_or(0, <[u8]>::len) + body.map_or(0, <[u8]>::len));
        let mut copy = |bytes: &[u8]| -> Bytes {
            memory.extend_from_slice(bytes);
            memory.split().freeze()
        };
        let mut headers = Headers::with_capacity(from.map_or(0, rdkafka::message::Headers::count));
        for header in values() {
            headers.push(Headers::name(header.key), copy(header.value.unwrap_or_default()));
        }
        let micros = match message.timestamp() {
            KafkaTime::CreateTime(ms) | KafkaTime::LogAppendTime(ms) => ms.saturating_mul(1_000),
            KafkaTime::NotAvailable => 0,
        };
        Incoming {
            key: key.map(&mut copy),
            body: body.map(&mut copy),
            partition: Partition {
                topic: self.topic(message.topic()),
                number: message.partition(),
            },
            offset: message.offset(),
            headers,
            at: ferrex_time::from_micros(micros),
        }
    }
}
