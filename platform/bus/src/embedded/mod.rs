//! The transport over a log in PostgreSQL, for one machine.
//!
//! Publishing is one statement: it locks the heads of the partitions it writes to (in order, so that publishers do not
//! deadlock), gives out offsets and inserts a row for each of them. A head stays locked until the commit, so offsets have no gap and become
//! visible in order. Requests and answers commit asynchronously; a durable commit that rests on them flushes them too.
//! Who waits for messages is woken within the process at once and in other processes by one NOTIFY for everything
//! published meanwhile; a poll stands behind both.

mod clean;
mod group;
mod log;
mod member;
mod wake;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ferrex_postgres::{Db, DbConfig, Dedicated, SqlResult as _};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::transport::{
    self, Lag, Load, Partition, Record, Sink, Subscription, Tail, Transport, Urgency, retention_hours,
};
use crate::{Error, Place, Receipt};
use wake::Wake;

/// Where the log is.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The database, as role `ferrex_bus` with schema `bus`. Beside the pool each reader has a connection of its own, and one of the
    /// process listens.
    pub database: DbConfig,
    /// After how long a member of a group that is not heard of is taken for dead.
    pub session_timeout: Duration,
    /// How often readers look without being woken.
    pub look_every: Duration,
    /// How often old messages are removed.
    pub clean_every: Duration,
}

impl EmbeddedConfig {
    /// Five seconds until a member is dead, a look and a cleaning each second and minute.
    pub fn new(database: DbConfig) -> Self {
        Self {
            database,
            session_timeout: Duration::from_secs(5),
            look_every: Duration::from_secs(1),
            clean_every: Duration::from_mins(1),
        }
    }
}

/// What the parts of the transport share.
struct Shared {
    db: Db,
    wake: Arc<Wake>,
    session_timeout: Duration,
    look_every: Duration,
}

pub(crate) struct Embedded {
    shared: Arc<Shared>,
    partitions: i32,
    /// Partitions of the topics that were seen to exist; topics are never removed.
    known: Mutex<HashMap<String, i32>>,
    /// Ends listener, notifier and cleaner when the transport is dropped.
    _background: DropGuard,
    background: CancellationToken,
}

impl Embedded {
    pub async fn connect(config: &EmbeddedConfig, partitions: i32) -> Result<Self, Error> {
        let db = Db::connect(&config.database).await?;
        let background = CancellationToken::new();
        let wake = Wake::start(&db, &config.database.url, &background);
        tokio::spawn(clean::run(db.clone(), config.clean_every, background.clone()));
        let shared = Shared {
            db,
            wake,
            session_timeout: config.session_timeout,
            look_every: config.look_every,
        };
        Ok(Self {
            shared: Arc::new(shared),
            partitions: partitions.clamp(1, 1024),
            known: Mutex::default(),
            _background: background.clone().drop_guard(),
            background,
        })
    }

    fn known(&self, topic: &str) -> Option<i32> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(topic)
            .copied()
    }

    fn partitions(&self, topic: &str) -> Result<i32, Error> {
        self.known(topic).ok_or_else(|| Error::TopicMissing {
            topic: topic.to_owned(),
        })
    }

    /// Which partition a key belongs to. Stable for ever: moving a key breaks its order.
    fn partition_of(&self, record: &Record) -> Result<i32, Error> {
        if let Some(partition) = record.partition {
            return Ok(partition);
        }
        let count = self.partitions(&record.topic)?;
        let count_u64 = u64::from(count.unsigned_abs()).max(1);
        Ok(match &record.key {
            Some(key) => i32::try_from(xxhash_rust::xxh3::xxh3_64(key) % count_u64)
                .expect("a remainder below a number of partitions fits"),
            None => rand::random_range(0..count),
        })
    }
}

#[async_trait]
impl Transport for Embedded {
    async fn ensure_topics(&self, topics: &[String]) -> Result<(), Error> {
        for topic in topics {
            if self.known(topic).is_some() {
                continue;
            }
            let retention = i32::try_from(retention_hours(topic)).unwrap_or(i32::MAX);
            let count = log::ensure_topic(&self.shared.db, topic, self.partitions, retention).await?;
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(topic.clone(), count);
        }
        Ok(())
    }

    async fn publish(&self, records: Vec<Record>, urgency: Urgency) -> Result<Vec<Receipt>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let topics = transport::topics(records.iter());
        self.ensure_topics(&topics).await?;
        let partitions = records
            .iter()
            .map(|record| self.partition_of(record))
            .collect::<Result<Vec<_>, _>>()?;
        log::append(&self.shared.db, &records, &partitions, urgency).await?;
        self.shared.wake.published(&topics);
        Ok(Vec::new())
    }

    async fn ends(&self, places: &[Place]) -> Result<Vec<i64>, Error> {
        // No message here was given a receipt: what has one went over another transport, before the services came to this.
        Ok(vec![0; places.len()])
    }

    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Subscription, Error> {
        let (events, incoming) = mpsc::unbounded_channel();
        let (commands, orders) = mpsc::unbounded_channel();
        let load = Arc::new(Load::default());
        let member = member::Member::new(
            Arc::clone(&self.shared),
            group.to_owned(),
            topics.to_vec(),
            events,
            orders,
            Arc::clone(&load),
        );
        tokio::spawn(member.run());
        Ok(Subscription {
            events: incoming,
            commands,
            load,
        })
    }

    async fn tail(&self, topic: &str, sink: Sink) -> Result<Tail, Error> {
        self.ensure_topics(std::slice::from_ref(&topic.to_owned()))
            .await?;
        let partition = rand::random_range(0..self.partitions(topic)?);
        let reading = Partition::new(topic, partition);
        let mut connection = Dedicated::new(&self.shared.db);
        let mut position = connection
            .run(async |connection| log::end(connection, &reading).await)
            .await?;
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let ending = ended.clone().drop_guard();
        let (stopped, shared) = (stop.clone(), Arc::clone(&self.shared));
        let bell = shared.wake.bell([topic.to_owned()].into(), String::new());
        tokio::spawn(async move {
            let _ending = ending;
            while !stopped.is_cancelled() {
                let found = connection
                    .run(async |connection| log::read_on(connection, &reading, &mut position).await);
                match found.await {
                    Ok(found) => found.into_iter().for_each(&sink),
                    Err(error) => tracing::debug!(%error, "reading answers failed, trying again"),
                }
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = bell.records.notified() => {}
                    () = tokio::time::sleep(shared.look_every) => {}
                }
            }
        });
        Ok(Tail {
            partition,
            ended,
            stop: stop.drop_guard(),
        })
    }

    async fn lag(&self, group: &str, topics: &[String]) -> Result<Vec<Lag>, Error> {
        let rows: Vec<(String, i32, Option<i64>, i64)> = sqlx::query_as(
            "SELECT h.topic, h.partition, c.position, h.next_offset
             FROM head h
             LEFT JOIN claim c ON c.consumer_group = $1 AND c.topic = h.topic AND c.partition = h.partition
             WHERE h.topic = ANY($2)
             ORDER BY h.topic, h.partition",
        )
        .bind(group)
        .bind(topics)
        .fetch_all(self.shared.db.pool())
        .await
        .doing("asking how far a group is")?;
        Ok(rows
            .into_iter()
            .map(|(topic, partition, position, end)| Lag {
                topic,
                partition,
                position,
                end,
            })
            .collect())
    }

    async fn ping(&self) -> Result<(), Error> {
        self.shared.db.ping().await.map_err(Error::from)
    }

    async fn close(&self) {
        self.background.cancel();
        self.shared.wake.stopped().await;
        self.shared.db.close().await;
    }
}

/// Names one membership.
fn member_id() -> Uuid {
    Uuid::from_u128(rand::random())
}
