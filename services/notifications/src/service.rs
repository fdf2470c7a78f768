use std::time::Duration;

use ferrex_bus::Bus;
use ferrex_fault::Classify as _;
use ferrex_postgres::Db;
use ferrex_runtime::{CancellationToken, Readiness, ReadyFlag, supervise};
use ferrex_time::SharedClock;

use crate::delivery::Deliveries;
use crate::sender::Sender;
use crate::{Config, Error, Templates, consumers};

/// How often the mail server and the database are asked whether they are there.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// What this role works with.
pub struct Dependencies {
    /// The database, as role `ferrex_notifications` in schema `notifications`.
    pub db: Db,
    /// Where events and commands come from.
    pub bus: Bus,
    /// The time.
    pub clock: SharedClock,
    /// Where the parts `notifications` (its database) and `smtp` say whether they are there.
    pub readiness: Readiness,
}

/// The role, ready to run.
pub struct Service {
    db: Db,
    bus: Bus,
    deliveries: Deliveries,
    database: ReadyFlag,
    smtp: ReadyFlag,
}

/// Checks settings and templates. Database and mail server are waited for in [`Service::run`].
pub async fn build(config: Config, dependencies: Dependencies) -> Result<Service, Error> {
    config.check()?;
    let Dependencies {
        db,
        bus,
        clock,
        readiness,
    } = dependencies;
    let templates = Templates::load(&config.brand, &config.public_url)?;
    let sender = Sender::new(&config)?;
    let (database, smtp) = (readiness.register("notifications"), readiness.register("smtp"));
    let deliveries = Deliveries::new(config, db.clone(), clock, templates, sender);
    Ok(Service {
        db,
        bus,
        deliveries,
        database,
        smtp,
    })
}

impl Service {
    /// Works until `shutdown` is cancelled.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self {
            db,
            bus,
            deliveries,
            database,
            smtp,
        } = self;
        let router = consumers::router(&deliveries);
        let consuming = supervise("notifications: consumers", shutdown.clone(), || {
            ferrex_bus::serve(&bus, &db, router.clone(), shutdown.clone())
        });
        let sending = deliveries.run(shutdown.clone());
        let watching = watch(&deliveries, &database, &smtp, &shutdown);
        // On the heap, so that whoever runs the role need not carry it in a future of its own.
        Box::pin(async { tokio::join!(consuming, sending, watching) }).await;
        Ok(())
    }
}

/// Says what is missing until `shutdown`.
async fn watch(
    deliveries: &Deliveries,
    database: &ReadyFlag,
    smtp: &ReadyFlag,
    shutdown: &CancellationToken,
) {
    while !shutdown.is_cancelled() {
        match deliveries.db().ping().await {
            Ok(()) => database.set_ready(),
            Err(error) => database.set_missing(format!("{error} ({})", error.code())),
        }
        match deliveries.sender().probe().await {
            Ok(()) => smtp.set_ready(),
            Err(reason) => smtp.set_missing(reason),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(PROBE_EVERY) => {}
        }
    }
}
