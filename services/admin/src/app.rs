//! What every part of this service works with.

use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ferrex_bus::{Bus, RequestError};
use ferrex_contracts::Request;
use ferrex_fault::Fault;
use ferrex_ids::{Id, Kind};
use ferrex_postgres::{Db, Tx};
use ferrex_time::{SharedClock, Timestamp};

use crate::Config;
use crate::secrets::Keys;
use crate::staff::Passwords;

/// The service's parts; clones share them.
#[derive(Clone)]
pub struct Admin(pub(crate) Arc<Parts>);

/// What [`Admin`] holds.
pub struct Parts {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) clock: SharedClock,
    pub(crate) keys: Keys,
    pub(crate) passwords: Passwords,
}

impl Deref for Admin {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin(..)")
    }
}

impl Admin {
    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id.
    pub(crate) fn id<K: Kind>(&self) -> Id<K> {
        Id::new_at(self.clock.unix_ms())
    }

    /// Commits.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<(), Fault> {
        Ok(tx.commit().await.map_err(ferrex_postgres::Error::Commit)?)
    }

    /// Asks another service something that changes nothing.
    pub(crate) async fn ask<R: Request>(&self, key: impl Display, question: &R) -> Result<R::Reply, Fault> {
        Ok(self.request(key, question).await?)
    }

    /// Sends a request and keeps what is known about its effect.
    pub(crate) async fn request<R: Request>(
        &self,
        key: impl Display,
        request: &R,
    ) -> Result<R::Reply, RequestError> {
        let within = Duration::from_millis(u64::from(self.config.answer_within_ms));
        self.bus.request(key, request, within).await
    }
}
