use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use ferrex_contracts::Request;
use ferrex_time::SharedClock;

use crate::embedded::{self, EmbeddedConfig};
use crate::kafka::{self, KafkaConfig};
use crate::request::Requester;
use crate::transport::{Lag, Transport, Urgency};
use crate::{Error, Outgoing, Receipt, RequestError};

/// Who speaks on the bus, and over what.
#[derive(Clone, Debug)]
pub struct BusConfig {
    /// The service's name: the source of its messages, and whose `<service>.replies.v1` its answers come to.
    pub service: String,
    /// Partitions of topics that this side creates.
    pub partitions: i32,
    /// What carries the messages.
    pub transport: TransportConfig,
}

/// What carries the messages.
#[derive(Clone, Debug)]
pub enum TransportConfig {
    /// A log in PostgreSQL, for one machine.
    Embedded(EmbeddedConfig),
    /// Apache Kafka, or what speaks its protocol.
    Kafka(KafkaConfig),
}

impl BusConfig {
    /// A configuration with four partitions a topic.
    pub fn new(service: impl Into<String>, transport: TransportConfig) -> Self {
        Self {
            service: service.into(),
            partitions: 4,
            transport,
        }
    }
}

/// A connection to the bus; clones share it.
#[derive(Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub service: ByteString,
    pub clock: SharedClock,
    pub transport: Arc<dyn Transport>,
    pub requester: Requester,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus")
            .field("service", &self.inner.service)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// Prepares the connection. It does not wait for the other end; [`Bus::ping`] tells whether that is there.
    pub async fn connect(config: &BusConfig, clock: SharedClock) -> Result<Self, Error> {
        let transport: Arc<dyn Transport> = match &config.transport {
            TransportConfig::Embedded(own) => {
                Arc::new(embedded::Embedded::connect(own, config.partitions).await?)
            }
            TransportConfig::Kafka(own) => Arc::new(kafka::Kafka::connect(own, config.partitions)?),
        };
        let requester = Requester::new(&config.service);
        let service = config.service.as_str().into();
        Ok(Self {
            inner: Arc::new(Inner {
                service,
                clock,
                transport,
                requester,
            }),
        })
    }

    /// Publishes messages, in the given order per key. When it returns they are stored for good; when it fails it is
    /// not known which of them are, and they must be sent again.
    ///
    /// It waits as long as the broker is away: giving up and sending again in another order would break the order per
    /// key. Drop the future to stop waiting.
    ///
    /// A broker's receipts come in the order of the messages; the embedded log, which is as durable as the services'
    /// tables, gives none.
    pub async fn publish(&self, messages: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        for message in &messages {
            message.check_size()?;
        }
        let records = messages.into_iter().map(Outgoing::into_record).collect();
        self.inner.transport.publish(records, Urgency::Durable).await
    }

    /// Asks and waits for the answer, at most `within`. Requests of one key are handled in order.
    ///
    /// [`RequestError::TimedOut`] and [`RequestError::Bus`] leave open whether the request took effect.
    pub async fn request<R: Request>(
        &self,
        key: impl Display,
        request: &R,
        within: Duration,
    ) -> Result<R::Reply, RequestError> {
        self.inner
            .requester
            .ask(&self.inner, key.to_string(), request, within)
            .await
    }

    /// Creates the topics that do not exist. [`crate::serve`] and publishing do it by themselves for what they use.
    pub async fn ensure_topics(&self, topics: &[&str]) -> Result<(), Error> {
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self.inner.transport.ensure_topics(&topics).await
    }

    /// How far a consumer group is behind on these topics, for metrics and staff. The group of a service's events has
    /// the service's name, that of its requests `<service>.requests`.
    pub async fn lag(&self, group: &str, topics: &[&str]) -> Result<Vec<Lag>, Error> {
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self.inner.transport.lag(group, &topics).await
    }

    /// Whether the other end answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.inner.transport.ping().await
    }

    /// The service this side speaks for.
    pub fn service(&self) -> &str {
        &self.inner.service
    }

    /// Sends what is buffered and ends. Use it last, after consumers and relays have returned.
    pub async fn close(&self) {
        self.inner.requester.close();
        self.inner.transport.close().await;
    }
}
