use std::net::SocketAddr;
use std::sync::Arc;

use ferrex_bus::Bus;
use ferrex_engine_client::{EngineClient, Submission};
use ferrex_postgres::Db;
use ferrex_runtime::{Backoff, Readiness, supervise};
use ferrex_time::SharedClock;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::error::chain;
use crate::jobs::ledger_audit::LedgerAudit;
use crate::owner::Owner;
use crate::shared::{Role, Shared};
use crate::snapshots::Wish;
use crate::standby::Standby;
use crate::{Config, Error, consumers, http, snapshots};

/// What the engine works with.
pub struct Dependencies {
    /// The database, as role `ferrex_engine` in schema `engine`.
    pub db: Db,
    /// Where committed commands are told of; without one nobody is told.
    pub bus: Option<Bus>,
    /// The time, for the age of command ids.
    pub clock: SharedClock,
    /// Where the part `engine` says whether it works.
    pub readiness: Readiness,
}

/// The engine role, ready to run.
pub struct Service {
    shared: Shared,
    client: EngineClient,
    submissions: mpsc::Receiver<Submission>,
    listener: Option<(TcpListener, http::Access)>,
}

/// Checks the settings and opens the internal listener. The database is waited for in [`Service::run`].
pub async fn build(config: Config, dependencies: Dependencies) -> Result<Service, Error> {
    let Dependencies {
        db,
        bus,
        clock,
        readiness,
    } = dependencies;
    if config.lease_ms < 300
        || config.follow_ms == 0
        || config.projection_ms == 0
        || config.batch_max == 0
        || config.snapshot_check_ms == 0
    {
        return Err(Error::Settings(
            "lease_ms is at least 300, and follow_ms, projection_ms, snapshot_check_ms and batch_max are not 0",
        ));
    }
    let (client, submissions) = EngineClient::local();
    let (role, watched) = watch::channel(Role::Standby(None));
    let mut address = config.advertise.clone();
    let listener = match (config.listen, &config.token_file) {
        (None, _) => None,
        (Some(_), None) => return Err(Error::Settings("token_file is needed with listen")),
        (Some(at), Some(token_file)) => {
            let token = token_file.read()?;
            let listener = TcpListener::bind(at)
                .await
                .map_err(|source| Error::Listen { address: at, source })?;
            let bound = listener
                .local_addr()
                .map_err(|source| Error::Listen { address: at, source })?;
            address.get_or_insert_with(|| format!("http://{bound}"));
            Some((
                listener,
                http::Access {
                    client: client.clone(),
                    role: watched,
                    token,
                },
            ))
        }
    };
    let name = ferrex_ids::uuid_at(clock.unix_ms()).to_string();
    let shared = Shared {
        config: Arc::new(config),
        db,
        bus,
        clock,
        ready: readiness.register("engine"),
        books: readiness.register("books"),
        name: name.into(),
        address: address.map(Into::into),
        role,
        snapshot: Wish::default(),
    };
    Ok(Service {
        shared,
        client,
        submissions,
        listener,
    })
}

impl Service {
    /// The way to this engine from within its process.
    pub fn client(&self) -> EngineClient {
        self.client.clone()
    }

    /// Where the internal listener is.
    pub fn listens_on(&self) -> Option<SocketAddr> {
        self.listener
            .as_ref()
            .and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Works until `shutdown` is cancelled; then what is queued is answered and the lease given up.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self {
            shared,
            client: _keeps_the_queue_open,
            mut submissions,
            listener,
        } = self;
        let stop_listening = CancellationToken::new();
        let listening = listener
            .map(|(listener, access)| tokio::spawn(http::serve(listener, access, stop_listening.clone())));
        // Nothing is known against the books until an audit finds something.
        shared.books.set_ready();
        let audit = shared.bus.clone().map(|bus| {
            let (clock, books) = (shared.clock.clone(), shared.books.clone());
            LedgerAudit::new(shared.db.clone(), bus, clock, books)
        });
        let auditing = audit.clone().map(|audit| tokio::spawn(audit.run()));
        let _auditing = auditing.map(AbortOnDropHandle::new);
        let consuming = shared.bus.clone().zip(audit).map(|(bus, audit)| {
            let (db, shutdown) = (shared.db.clone(), shutdown.clone());
            tokio::spawn(async move {
                let router = consumers::router(audit);
                supervise("engine consumers", shutdown.clone(), || {
                    ferrex_bus::serve(&bus, &db, router.clone(), shutdown.clone())
                })
                .await;
            })
        });
        let snapshots = tokio::spawn(snapshots::run(shared.clone(), shutdown.clone()));
        let _snapshots = AbortOnDropHandle::new(snapshots);
        let mut backoff = Backoff::default();
        while !shutdown.is_cancelled() {
            let error = match turn(&shared, &mut submissions, &shutdown, &mut backoff).await {
                Ok(()) => break,
                Err(error) => error,
            };
            let pause = backoff.next_pause();
            let reason = chain(&error);
            tracing::error!(
                error = reason,
                "engine stopped deciding, beginning again from the journal"
            );
            shared.ready.set_missing(reason);
            shared.become_standby(None);
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        stop_listening.cancel();
        for task in [listening, consuming].into_iter().flatten() {
            let _ = task.await;
        }
        Ok(())
    }
}

/// Once from the journal's end to the end of ownership.
async fn turn(
    shared: &Shared,
    submissions: &mut mpsc::Receiver<Submission>,
    shutdown: &CancellationToken,
    backoff: &mut Backoff,
) -> Result<(), Error> {
    let standby = Standby::load(shared).await?;
    let Some(taken) = standby.follow(submissions, shutdown).await? else {
        return Ok(());
    };
    let owner = Owner::start(shared, taken).await?;
    backoff.reset();
    owner.serve(submissions, shutdown).await
}
