//! Says on the operations port when PostgreSQL or the bus is away, whatever the roles are doing.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use ferrex_runtime::{CancellationToken, ReadyFlag};

use super::Process;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

impl Process {
    /// Starts looking. Every role has the same server and the same bus, so one look at each tells for all.
    pub(super) fn watch_health(&self) {
        if let Some(bus) = self.buses.first().cloned() {
            let flag = self.readiness.register("bus");
            let ping = move || {
                let bus = bus.clone();
                async move { bus.ping().await }
            };
            self.shutdown.spawn(watch(ping, flag, self.shutdown.token()));
        }
        if let Some(db) = self.databases.first().cloned() {
            let flag = self.readiness.register("postgres");
            let ping = move || {
                let db = db.clone();
                async move { db.ping().await }
            };
            self.shutdown.spawn(watch(ping, flag, self.shutdown.token()));
        }
    }
}

async fn watch<F, E>(ping: impl Fn() -> F, flag: ReadyFlag, shutdown: CancellationToken)
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    while !shutdown.is_cancelled() {
        match tokio::time::timeout(PATIENCE, ping()).await {
            Ok(Ok(())) => flag.set_ready(),
            Ok(Err(error)) => flag.set_missing(error.to_string()),
            Err(_) => flag.set_missing("it does not answer"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
