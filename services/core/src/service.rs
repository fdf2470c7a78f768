//! Putting the parts together, and running them.

use std::sync::Arc;

use ferrex_bus::{Bus, outbox};
use ferrex_fault::{Fault, Kind};
use ferrex_postgres::Db;
use ferrex_runtime::{CancellationToken, supervise};
use ferrex_time::SharedClock;
use ferrex_web::{OpenApiRouter, TokenSigner, TokenVerifier};

use crate::app::{Core, Parts};
use crate::passwords::PasswordHasher;
use crate::secrets::Keys;
use crate::{Config, consumers, http};

/// What this role needs from the process it runs in.
#[derive(Clone)]
pub struct Deps {
    /// Bound to the schema and role of [`crate::SCHEMA`].
    pub db: Db,
    /// Connected for the service `core`.
    pub bus: Bus,
    /// The clock.
    pub clock: SharedClock,
    /// Mints access tokens.
    pub tokens: TokenSigner,
    /// The verifier of this process's listener, which learns at once of sessions that end.
    pub verifier: TokenVerifier,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deps(..)")
    }
}

/// The role, ready to run.
#[derive(Clone, Debug)]
pub struct Service {
    core: Core,
}

/// Checks the settings, reads the root key and puts the parts together. The database and the bus may still be away.
pub async fn build(config: Config, deps: Deps) -> Result<Service, Fault> {
    let refused = |detail: String| Fault::new(Kind::Invalid, "core.config.invalid", detail);
    let file = config
        .root_key
        .as_ref()
        .ok_or_else(|| refused("core.root_key must name a file".to_owned()))?;
    let root = file
        .read()
        .map_err(|error| refused("reading core.root_key".to_owned()).with_source(error))?;
    let keys = Keys::try_new(&root).map_err(|error| refused(error.to_string()))?;
    if !config.public_url.starts_with("http://") && !config.public_url.starts_with("https://") {
        return Err(refused(format!(
            "core.public_url must be an http or https address, it is {:?}",
            config.public_url
        )));
    }
    let hasher = PasswordHasher::try_new(config.hashing.hasher())?;
    let Deps {
        db,
        bus,
        clock,
        tokens,
        verifier,
    } = deps;
    Ok(Service {
        core: Core(Arc::new(Parts {
            config,
            db,
            bus,
            clock,
            keys,
            hasher,
            tokens,
            verifier,
        })),
    })
}

impl Service {
    /// The routes of the public listener.
    pub fn public(&self) -> OpenApiRouter {
        http::router(self.core.clone())
    }

    /// The parts, for callers in the same process.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Relays the outbox and handles messages until `shutdown` is cancelled.
    pub async fn run(&self, shutdown: CancellationToken) {
        let core = &self.core;
        let relay = supervise("core outbox relay", shutdown.clone(), || {
            let (db, bus, shutdown) = (core.db.clone(), core.bus.clone(), shutdown.clone());
            async move {
                outbox::relay(&db, &bus, shutdown)
                    .await
                    .map_err(|error| Fault::from(error).chain())
            }
        });
        let consumers = supervise("core consumers", shutdown.clone(), || {
            let (db, bus, shutdown) = (core.db.clone(), core.bus.clone(), shutdown.clone());
            let router = consumers::router(core);
            async move {
                ferrex_bus::serve(&bus, &db, router, shutdown)
                    .await
                    .map_err(|error| Fault::from(error).chain())
            }
        });
        tokio::join!(Box::pin(relay), Box::pin(consumers));
    }
}
