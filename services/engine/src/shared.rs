use std::sync::Arc;

use ferrex_bus::Bus;
use ferrex_postgres::Db;
use ferrex_runtime::ReadyFlag;
use ferrex_time::{Duration, SharedClock, Timestamp};
use tokio::sync::watch;

use crate::Config;
use crate::snapshots::Wish;

/// What this process is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It follows the journal; the owner's address, as far as it is known.
    Standby(Option<String>),
    /// It decides.
    Owner,
}

/// What the parts of the service have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) db: Db,
    pub(crate) bus: Option<Bus>,
    pub(crate) clock: SharedClock,
    pub(crate) ready: ReadyFlag,
    /// Missing while the last audit has findings.
    pub(crate) books: ReadyFlag,
    /// Random name of this process in the lease.
    pub(crate) name: Arc<str>,
    /// Base address of the internal listener, for the lease.
    pub(crate) address: Option<Arc<str>>,
    pub(crate) role: watch::Sender<Role>,
    /// Whether a state is wanted for a snapshot.
    pub(crate) snapshot: Wish,
}

impl Shared {
    /// Where the idempotency window begins now.
    pub(crate) fn window_from(&self) -> Timestamp {
        self.clock.now() - Duration::hours(i64::from(self.config.window_hours))
    }

    pub(crate) fn become_standby(&self, owner: Option<String>) {
        self.role.send_if_modified(|role| {
            let standby = Role::Standby(owner);
            let changed = *role != standby;
            *role = standby;
            changed
        });
    }
}
