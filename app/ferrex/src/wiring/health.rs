//! Says on the operations port when PostgreSQL or the bus is away, whatever the roles are doing.

use std::time::Duration;

use ferrex_bus::Bus;
use ferrex_runtime::{CancellationToken, ReadyFlag};

use super::Process;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

impl Process {
    /// Starts looking. The embedded bus is PostgreSQL, so one look tells of both.
    pub(super) fn watch_health(&self) {
        if let Some(bus) = self.buses.first().cloned() {
            let flag = self.readiness.register("bus");
            self.shutdown.spawn(watch(bus, flag, self.shutdown.token()));
        }
    }
}

async fn watch(bus: Bus, flag: ReadyFlag, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match tokio::time::timeout(PATIENCE, bus.ping()).await {
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
