use ferrex_bus::Bus;
use ferrex_fault::{Classify as _, Fault};
use ferrex_postgres::Db;
use ferrex_runtime::{Backoff, CancellationToken, Readiness, ReadyFlag};
use ferrex_time::SharedClock;

use crate::{Config, Error, Signer, consumers, keystore};

/// What the signer works with.
pub struct Dependencies {
    /// The database, as role `ferrex_signer` in schema `signer`.
    pub db: Db,
    /// Where requests come from.
    pub bus: Bus,
    /// The time.
    pub clock: SharedClock,
    /// Where the part `signer` says whether it works.
    pub readiness: Readiness,
}

/// The signer role, ready to run.
pub struct Service {
    signer: Signer,
    db: Db,
    bus: Bus,
    ready: ReadyFlag,
}

/// Checks the settings and opens the keystore, or makes one where the settings allow that. The database is waited for
/// in [`Service::run`].
pub async fn build(config: Config, dependencies: Dependencies) -> Result<Service, Error> {
    let Dependencies {
        db,
        bus,
        clock,
        readiness,
    } = dependencies;
    let ready = readiness.register("signer");
    // Opening takes a good part of a second of computing and 64 MiB on purpose.
    let opened =
        tokio::task::spawn_blocking(move || keystore::open(&config).map(|keys| (config, keys))).await;
    let (config, keys) =
        opened.map_err(|error| Error::Settings(format!("opening the keystore ended: {error}")))??;
    let signer = Signer::try_new(&config, keys, db.clone(), clock)?;
    tracing::info!(hot_wallet = signer.describe().evm_hot_wallet, "keystore opened");
    Ok(Service {
        signer,
        db,
        bus,
        ready,
    })
}

impl Service {
    /// The signing part, for tests.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Answers requests until `shutdown` is cancelled. Ends at once when the schema belongs to another keystore.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self {
            signer,
            db,
            bus,
            ready,
        } = self;
        let mut backoff = Backoff::default();
        while let Err(error) = signer.claim().await {
            if !error.kind().is_transient() || matches!(error, Error::OtherKeystore { .. }) {
                ready.set_missing(error.to_string());
                return Err(error);
            }
            let reason = Fault::from(error).chain();
            tracing::warn!(error = reason, "waiting for the database");
            ready.set_missing(reason);
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(backoff.next_pause()) => {}
            }
        }
        ready.set_ready();
        let router = consumers::router(&signer);
        ferrex_bus::serve(&bus, &db, router, shutdown)
            .await
            .map_err(Error::from)
    }
}
