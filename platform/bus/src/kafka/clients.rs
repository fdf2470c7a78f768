//! The one place that builds clients of Kafka, because the defaults of the library are wrong for money.

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::producer::FutureProducer;

use super::KafkaConfig;
use crate::Error;
use crate::transport::Urgency;

/// Drops its content on a thread of its own: dropping a client of librdkafka blocks, and can deadlock an async worker.
pub(super) struct OffThread<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> OffThread<T> {
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> std::ops::Deref for OffThread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only drop takes the value out")
    }
}

impl<T: Send + 'static> Drop for OffThread<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            // Without a thread to spare there is nothing better than to block here.
            let _ = std::thread::Builder::new()
                .name("kafka drop".to_owned())
                .spawn(move || drop(value));
        }
    }
}

/// Builds clients.
pub(super) struct Clients {
    config: KafkaConfig,
}

impl Clients {
    pub fn new(config: KafkaConfig) -> Self {
        Self { config }
    }

    fn base(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (name, value) in &self.config.properties {
            client.set(name, value);
        }
        client
            .set("bootstrap.servers", &self.config.brokers)
            .set("client.id", "ferrex")
            // Brokers move in Kubernetes; come back quickly when they do.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            // Topics exist before they are used, so one that is not there is gone.
            .set("topic.metadata.propagation.max.ms", "5000")
            .set_log_level(RDKafkaLogLevel::Warning);
        client
    }

    /// Sets what the settings leave open; it goes by two names.
    fn prefer(&self, client: &mut ClientConfig, names: [&str; 2], value: &str) {
        if !names
            .iter()
            .any(|name| self.config.properties.contains_key(*name))
        {
            client.set(names[0], value);
        }
    }

    pub fn admin(&self) -> Result<AdminClient<DefaultClientContext>, Error> {
        self.base()
            .create()
            .map_err(Error::kafka("making a Kafka admin client"))
    }

    pub fn producer(&self, urgency: Urgency) -> Result<FutureProducer, Error> {
        let mut client = self.base();
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // The partitioner of the Java and NestJS clients, so that a key lands in the same place whoever writes it.
            .set("partitioner", "murmur2_random");
        // With a batch of a partition on its way, the library looks without pause whether the next may be sent, which takes a processor,
        // unless a request to the broker waits to be sent. With two on their way one soon does; to a broker that is far away and has
        // many partitions, more may be wanted.
        self.prefer(
            &mut client,
            ["max.in.flight.requests.per.connection", "max.in.flight"],
            "2",
        );
        match urgency {
            // Events never time out here. A send that "failed" locally may still be in the log, and sending its
            // successors meanwhile would break the order of its key; so the client keeps trying in order.
            // Not compressed unless the settings say so: of all there is, NestJS (kafkajs) reads gzip alone, and its consumer
            // stops at anything else.
            // Half a millisecond gathers what is said at the same time; under load the next batch gathers while the broker
            // answers. Longer is what callers who wait for their receipts would wait for nothing.
            Urgency::Durable => {
                self.prefer(&mut client, ["linger.ms", "queue.buffering.max.ms"], "0.5");
                client.set("message.timeout.ms", "0")
            }
            // Requests and answers have deadlines of their own.
            Urgency::Fast => client
                .set("linger.ms", "0")
                .set("message.timeout.ms", "10000")
                .set("compression.type", "none"),
        };
        client.create().map_err(Error::kafka("making a Kafka producer"))
    }

    fn consumer_config(&self, group: &str) -> ClientConfig {
        let mut client = self.base();
        client
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("enable.partition.eof", "false")
            // Aborted transactions of others are none of ours.
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "500")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            // When that much waits here, look again soon: a second is an age for a consumer that takes thousands at once.
            .set("fetch.queue.backoff.ms", "20")
            .set("check.crcs", "true");
        client
    }

    /// A member of a group. Where it starts is decided at assignment, see [`super::consumer`].
    pub fn member<C: ConsumerContext>(&self, group: &str, context: C) -> Result<BaseConsumer<C>, Error> {
        let session = self.config.session_timeout.as_millis();
        let mut client = self.consumer_config(group);
        client
            // A position that the broker no longer has is an error, never a silent jump to either end.
            .set("auto.offset.reset", "error")
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", (session / 5).max(1).to_string())
            // Polling goes on while handlers work, so this only catches a thread that hangs.
            .set("max.poll.interval.ms", "300000");
        if let Some(instance) = &self.config.instance {
            client.set("group.instance.id", instance);
        }
        BaseConsumer::from_config_and_context(&client, context)
            .map_err(Error::kafka("making a Kafka consumer"))
    }

    /// A reader of one partition outside of any group.
    pub fn tail(&self, topic: &str) -> Result<BaseConsumer, Error> {
        let mut client = self.consumer_config(&format!("{topic}.tail"));
        // Answers that expired unread are of no use to anybody.
        client
            .set("auto.offset.reset", "latest")
            .set("fetch.wait.max.ms", "100");
        client.create().map_err(Error::kafka("making a Kafka reader"))
    }

    /// Asks about a group without joining it.
    pub fn asker(&self, group: &str) -> Result<OffThread<BaseConsumer>, Error> {
        let mut client = self.consumer_config(group);
        client
            // To the real end: what waits behind a transaction that somebody left open is lag too.
            .set("isolation.level", "read_uncommitted")
            .create()
            .map(OffThread::new)
            .map_err(Error::kafka("making a Kafka client"))
    }
}
