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

/// As many bytes as the values of a message's headers have on average, or more.
const HEADER_BYTES: usize = 40;

/// Copies messages out of the library: all bytes of one into one piece of memory if they fit, names of topics once.
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
        let (key, body) = (message.key(), message.payload());
        let bytes = key.map_or(0, <[u8]>::len) + body.map_or(0, <[u8]>::len);
        // Where headers are longer than usual, they get more memory as they come.
        let usual = HEADER_BYTES * from.map_or(0, rdkafka::message::Headers::count);
        let mut memory = BytesMut::with_capacity(bytes + usual);
        let mut copy = |bytes: &[u8]| -> Bytes {
            memory.extend_from_slice(bytes);
            memory.split().freeze()
        };
        let headers = from
            .into_iter()
            .flat_map(|headers| headers.iter())
            .map(|header| (Headers::name(header.key), copy(header.value.unwrap_or_default())))
            .collect();
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
