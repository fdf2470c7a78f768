//! Topics: which exist, and creating those that do not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::Instant;

use super::clients::OffThread;
use super::{ASK_WITHIN, blocking, is_unknown_topic};
use crate::transport::retention_hours;
use crate::{Error, Place};

/// How long a created topic may take to be seen by the broker we ask.
const APPEAR_WITHIN: Duration = Duration::from_secs(10);

/// How long a sign of life may take.
const PING_WITHIN: Duration = Duration::from_secs(3);
const UNUSED: &str = "__consumer_offsets";

pub(super) struct Topics {
    admin: Arc<OffThread<AdminClient<DefaultClientContext>>>,
    partitions: i32,
    replication: i32,
    /// Partitions of the topics that were seen to exist.
    known: Mutex<HashMap<String, i32>>,
}

impl Topics {
    pub fn new(admin: AdminClient<DefaultClientContext>, partitions: i32, replication: i32) -> Self {
        Self {
            admin: Arc::new(OffThread::new(admin)),
            partitions,
            replication,
            known: Mutex::default(),
        }
    }

    fn known(&self, topic: &str) -> Option<i32> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(topic)
            .copied()
    }

    /// The broker says that a topic is gone.
    pub fn forget(&self, topic: &str) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(topic);
    }

    pub async fn partitions(&self, topic: &str) -> Result<i32, Error> {
        self.ensure(&[topic.to_owned()]).await?;
        self.known(topic).ok_or_else(|| Error::TopicMissing {
            topic: topic.to_owned(),
        })
    }

    /// Creates what is missing. Topics that exist are left as they are, so rights to create are needed only when one is
    /// missing.
    pub async fn ensure(&self, topics: &[String]) -> Result<(), Error> {
        let missing = self.look_for(topics).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let retention: Vec<String> = missing
            .iter()
            .map(|topic| (retention_hours(topic) * 3_600_000).to_string())
            .collect();
        let new: Vec<NewTopic<'_>> = missing
            .iter()
            .zip(&retention)
            .map(|(topic, retention)| {
                NewTopic::new(topic, self.partitions, TopicReplication::Fixed(self.replication))
                    .set("retention.ms", retention)
            })
            .collect();
        let options = AdminOptions::new().request_timeout(Some(ASK_WITHIN));
        let results = self
            .admin
            .create_topics(&new, &options)
            .await
            .map_err(Error::kafka("creating topics"))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(Error::kafka("creating a topic")(KafkaError::AdminOp(code))),
            }
        }
        let deadline = Instant::now() + APPEAR_WITHIN;
        loop {
            let missing = self.look_for(topics).await?;
            let Some(topic) = missing.into_iter().next() else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                return Err(Error::TopicMissing { topic });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Those of `topics` that do not exist; remembers those that do.
    async fn look_for(&self, topics: &[String]) -> Result<Vec<String>, Error> {
        let mut missing = Vec::new();
        for topic in topics {
            if self.known(topic).is_some() {
                continue;
            }
            let (admin, name) = (Arc::clone(&self.admin), topic.clone());
            let count = blocking(move || {
                let metadata = admin
                    .inner()
                    .fetch_metadata(Some(&name), ASK_WITHIN)
                    .map_err(Error::kafka("asking for a topic"))?;
                let found = metadata.topics().iter().find(|topic| topic.name() == name);
                let led = found.filter(|topic| {
                    topic.error().is_none() && topic.partitions().iter().all(|part| part.leader() >= 0)
                });
                Ok(led.map_or(0, |topic| topic.partitions().len()))
            })
            .await?;
            match i32::try_from(count) {
                Ok(count) if count > 0 => {
                    self.known
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(topic.clone(), count);
                }
                _ => missing.push(topic.clone()),
            }
        }
        Ok(missing)
    }

    /// The offset that the next message of each partition will get; 0 for one that is gone, whose topic is looked for again
    /// when it is used.
    pub async fn ends(&self, places: &[Place]) -> Result<Vec<i64>, Error> {
        let (admin, wanted) = (Arc::clone(&self.admin), places.to_vec());
        let ends = blocking(move || {
            let end = |(topic, partition): &Place| match admin
                .inner()
                .fetch_watermarks(topic, *partition, ASK_WITHIN)
            {
                Ok((_, end)) => Ok(Some(end)),
                Err(error) if is_unknown_topic(&error) => Ok(None),
                Err(error) => Err(Error::kafka("asking for the end of a partition")(error)),
            };
            wanted.iter().map(end).collect::<Result<Vec<_>, _>>()
        })
        .await?;
        for ((topic, _), end) in places.iter().zip(&ends) {
            if end.is_none() {
                self.forget(topic);
            }
        }
        Ok(ends.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Whether the broker answers, and every topic that was used from here is still there and may be used.
    pub async fn ping(&self) -> Result<(), Error> {
        let admin = Arc::clone(&self.admin);
        let mut used: Vec<String> = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect();
        if used.is_empty() {
            // A topic by name, so that the answer stays small; it need not exist.
            used.push(UNUSED.to_owned());
        }
        blocking(move || {
            let until = Instant::now() + PING_WITHIN;
            for name in used {
                let within = until.saturating_duration_since(Instant::now());
                let metadata = admin
                    .inner()
                    .fetch_metadata(Some(&name), within)
                    .map_err(Error::kafka("asking the broker"))?;
                let found = metadata.topics().iter().find(|topic| topic.name() == name);
                if let Some(error) = found.and_then(rdkafka::metadata::MetadataTopic::error)
                    && name != UNUSED
                {
                    let code = RDKafkaErrorCode::from(error);
                    return Err(match code {
                        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                            Error::TopicMissing { topic: name }
                        }
                        _ => Error::kafka("asking for a topic")(KafkaError::MetadataFetch(code)),
                    });
                }
            }
            Ok(())
        })
        .await
    }
}
