use std::sync::Arc;

use ferrex_postgres::Db;
use ferrex_time::SharedClock;

use crate::intent::claim_keystore;
use crate::keys::Keys;
use crate::policy::Policy;
use crate::{Config, Error};

/// The signing part of the service, without the bus. Clones share the keys.
///
/// What it does is in `intent/flow.rs`.
#[derive(Clone, Debug)]
pub struct Signer {
    keys: Arc<Keys>,
    policy: Arc<Policy>,
    db: Db,
    clock: SharedClockDebug,
}

/// A clock that has nothing to print.
#[derive(Clone)]
struct SharedClockDebug(SharedClock);

impl std::fmt::Debug for SharedClockDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("clock")
    }
}

impl Signer {
    /// Reads the rules from the settings.
    pub fn try_new(config: &Config, keys: Keys, db: Db, clock: SharedClock) -> Result<Self, Error> {
        let policy = Arc::new(Policy::try_new(config)?);
        Ok(Self {
            keys: Arc::new(keys),
            policy,
            db,
            clock: SharedClockDebug(clock),
        })
    }

    /// Takes the schema for these keys; refuses to work where other keys have signed before.
    pub async fn claim(&self) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let ours = self.keys.hot_wallet();
        let stored = claim_keystore(&mut tx, self.keys.account().as_str(), ours, self.clock().now()).await?;
        if stored != ours {
            return Err(Error::OtherKeystore { stored, ours });
        }
        tx.commit()
            .await
            .map_err(|error| Error::Store(ferrex_postgres::Error::Commit(error)))
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock.0
    }
}
