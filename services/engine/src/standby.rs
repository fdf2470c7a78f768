//! A process that follows the journal and takes the lease as soon as it can be had.

use ferrex_engine_client::Submission;
use ferrex_engine_core::Engine;
use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::following::Following;
use crate::shared::Shared;
use crate::snapshots::Holder;
use crate::store::{self, Lease};
use crate::{Error, restart};

/// The state of a follower.
pub(crate) struct Standby<'a> {
    shared: &'a Shared,
    following: Following,
    connection: PgConnection,
}

/// What a follower hands over when it becomes the owner.
pub(crate) struct Taken {
    pub(crate) engine: Engine,
    pub(crate) connection: PgConnection,
    pub(crate) lease: Lease,
    /// Since when the lease counts, by this machine's monotonic clock.
    pub(crate) since: tokio::time::Instant,
    /// All changes after this row are marked in the engine.
    pub(crate) projected: u64,
}

impl<'a> Standby<'a> {
    /// Begins as of the projection's row and replays what came after it.
    pub(crate) async fn load(shared: &'a Shared) -> Result<Self, Error> {
        // Of its own, since it carries the owner's lock for as long as it lives and must never serve anything else.
        let mut connection = shared.db.own_connection().await?;
        let engine = restart::at_projection(shared, &mut connection).await?;
        let mut standby = Self {
            shared,
            following: Following::new(engine),
            connection,
        };
        let end = store::last_id(&mut standby.connection).await?;
        standby.catch_up(end).await?;
        let engine = standby.following.engine();
        tracing::info!(
            rows = engine.sequence(),
            projected = standby.following.projected(),
            accounts = engine.ledger().account_count(),
            holds = engine.ledger().hold_count(),
            "journal is loaded"
        );
        Ok(standby)
    }

    /// Follows until the lease is taken; `None` when the process is shutting down.
    pub(crate) async fn follow(
        mut self,
        submissions: &mut mpsc::Receiver<Submission>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Taken>, Error> {
        let shared = self.shared;
        loop {
            let since = tokio::time::Instant::now();
            let (name, address) = (&*shared.name, shared.address.as_deref());
            let lease = store::take_lease(&mut self.connection, name, address, shared.config.lease()).await?;
            if let Some(lease) = lease {
                self.catch_up(lease.last_id).await?;
                return self.into_taken(lease, since).map(Some);
            }
            shared.become_standby(store::owner_address(&mut self.connection).await?);
            // A standby is as ready as it can be: it stands by.
            shared.ready.set_ready();
            // Another process decides: whoever asks here learns that at once, not at its deadline.
            while submissions.try_recv().is_ok() {}
            let end = store::last_id(&mut self.connection).await?;
            self.catch_up(end).await?;
            self.watch_projection().await?;
            shared.snapshot.grant(&mut self.following.engine, Holder::Standby);
            let pause = tokio::time::sleep(shared.config.follow());
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(None),
                    () = &mut pause => break,
                    submission = submissions.recv() => drop(submission),
                }
            }
        }
    }

    async fn catch_up(&mut self, end: u64) -> Result<(), Error> {
        let shard = self.shared.config.shard;
        // Taken away only while this waits: on an error all of it is thrown away.
        let engine = std::mem::replace(&mut self.following.engine, Engine::new(shard));
        self.following.engine = restart::replay(&mut self.connection, shard, engine, end, |_| {}).await?;
        Ok(())
    }

    async fn watch_projection(&mut self) -> Result<(), Error> {
        let reached = store::projected(&mut self.connection).await?;
        let (from, most) = (self.shared.window_from(), self.shared.config.window_commands_max);
        self.following.projection_reached(reached, from, most);
        Ok(())
    }

    fn into_taken(self, lease: Lease, since: tokio::time::Instant) -> Result<Taken, Error> {
        let (engine, projected) = self.following.take_over(lease.last_id)?;
        Ok(Taken {
            engine,
            connection: self.connection,
            lease,
            since,
            projected,
        })
    }
}
