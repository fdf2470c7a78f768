//! Putting the parts together, and running them.

use std::sync::Arc;

use ferrex_bus::Bus;
use ferrex_fault::{Fault, Kind};
use ferrex_postgres::Db;
use ferrex_runtime::{CancellationToken, supervise};
use ferrex_time::SharedClock;
use ferrex_web::OpenApiRouter;

use crate::app::{Admin, Parts};
use crate::secrets::Keys;
use crate::staff::{self, Passwords};
use crate::{Config, consumers, http};

/// What this role needs from the process it runs in.
#[derive(Clone)]
pub struct Deps {
    /// Bound to the schema and role of [`crate::SCHEMA`].
    pub db: Db,
    /// Connected for the service `admin`.
    pub bus: Bus,
    /// The clock.
    pub clock: SharedClock,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deps(..)")
    }
}

/// The role, ready to run.
#[derive(Clone, Debug)]
pub struct Service {
    admin: Admin,
}

/// Checks the settings, reads the root key and puts the parts together. The database and the bus may still be away.
pub async fn build(config: Config, deps: Deps) -> Result<Service, Fault> {
    let refused = |detail: String| Fault::new(Kind::Invalid, "admin.config.invalid", detail);
    let file = config
        .root_key
        .as_ref()
        .ok_or_else(|| refused("admin.root_key must name a file".to_owned()))?;
    let root = file
        .read()
        .map_err(|error| refused("reading admin.root_key".to_owned()).with_source(error))?;
    let keys = Keys::try_new(&root).map_err(|error| refused(error.to_string()))?;
    if !config.public_url.starts_with("http://") && !config.public_url.starts_with("https://") {
        return Err(refused(format!(
            "admin.public_url must be an http or https address, it is {:?}",
            config.public_url
        )));
    }
    let passwords = Passwords::try_new(config.hash_memory_kib, config.hash_passes)?;
    let Deps { db, bus, clock } = deps;
    Ok(Service {
        admin: Admin(Arc::new(Parts {
            config,
            db,
            bus,
            clock,
            keys,
            passwords,
        })),
    })
}

impl Service {
    /// The routes of the admin listener; never to be put on another.
    pub fn routes(&self) -> OpenApiRouter {
        http::router(self.admin.clone())
    }

    /// The parts, for callers in the same process.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The one-time link for the first account, when there is no account yet; for the operator's eyes, so print it and
    /// do not log it.
    pub async fn first_link(&self) -> Result<Option<String>, Fault> {
        staff::first_link(&self.admin).await
    }

    /// Handles messages until `shutdown` is cancelled.
    pub async fn run(&self, shutdown: CancellationToken) {
        let admin = &self.admin;
        supervise("admin consumers", shutdown.clone(), || {
            let (db, bus, shutdown) = (admin.db.clone(), admin.bus.clone(), shutdown.clone());
            async move {
                let served = ferrex_bus::serve(&bus, &db, consumers::router(admin), shutdown).await;
                served.map_err(|error| Fault::from(error).chain())
            }
        })
        .await;
    }
}
