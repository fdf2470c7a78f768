use std::time::Duration;

use ferrex_bus::{Bus, outbox};
use ferrex_postgres::{Db, SqlResult as _};
use ferrex_runtime::{CancellationToken, Readiness, ReadyFlag, supervise};
use ferrex_time::SharedClock;
use tokio::time::Instant;
use uuid::Uuid;

use crate::leader::{self, Leadership};
use crate::schedules::flow::{Ticked, tick_all};
use crate::schedules::store::{self, ScheduleRow};
use crate::{Config, Error, Schedule};

/// How often a leader forgets old runs.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// What cron works with.
#[derive(Clone)]
pub struct Dependencies {
    /// The database, as role `ferrex_cron` in schema `cron`.
    pub db: Db,
    /// Where ticks go.
    pub bus: Bus,
    /// The time that decides what is due.
    pub clock: SharedClock,
    /// Where the part `cron` says whether it works.
    pub readiness: Readiness,
}

/// The cron role, ready to run. Clones are the same member.
#[derive(Clone)]
pub struct Service {
    config: Config,
    db: Db,
    bus: Bus,
    clock: SharedClock,
    ready: ReadyFlag,
    /// This process among those that may lead.
    member: Uuid,
}

/// Checks the settings. The database is waited for in [`Service::run`].
pub fn build(config: Config, dependencies: Dependencies) -> Result<Service, Error> {
    let Dependencies {
        db,
        bus,
        clock,
        readiness,
    } = dependencies;
    if config.look_ms == 0 || config.lease_ms < config.look_ms.saturating_mul(3) {
        return Err(Error::Settings(
            "look_ms is not 0, and lease_ms is at least three times look_ms",
        ));
    }
    Ok(Service {
        config,
        db,
        bus,
        clock,
        ready: readiness.register("cron"),
        member: Uuid::new_v4(),
    })
}

impl Service {
    /// Works until `shutdown` is cancelled, then gives up the lead.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let relay = outbox::relay(&self.db, &self.bus, shutdown.clone());
        let ticking = supervise("cron", shutdown.clone(), || async {
            let result = self.lead_and_tick(&shutdown).await;
            if result.is_err() {
                self.ready.set_missing("the database does not answer");
            }
            result
        });
        let (relayed, ()) = tokio::join!(relay, ticking);
        relayed.map_err(Error::Outbox)
    }

    async fn lead_and_tick(&self, shutdown: &CancellationToken) -> Result<(), Error> {
        let mut lead: Option<Leadership> = None;
        let mut forget_at = Instant::now();
        while !shutdown.is_cancelled() {
            let before = lead;
            lead = self.take().await?;
            self.ready.set_ready();
            if let Some(now) = lead {
                if before != lead {
                    tracing::info!(epoch = now.epoch, "leading");
                    self.seed().await?;
                }
                if tick_all(&self.db, &*self.clock, &now).await? == Ticked::Deposed {
                    lead = None;
                }
                if Instant::now() >= forget_at {
                    self.forget().await?;
                    forget_at = Instant::now() + FORGET_EVERY;
                }
            } else if before.is_some() {
                tracing::warn!("somebody else leads now");
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.config.look()) => {}
            }
        }
        if let Some(lead) = lead {
            let mut connection = self.db.pool().acquire().await.doing("giving up the lead")?;
            leader::give_up(&mut connection, &lead).await?;
        }
        Ok(())
    }

    async fn take(&self) -> Result<Option<Leadership>, Error> {
        let mut connection = self.db.pool().acquire().await.doing("taking the lead")?;
        Ok(leader::take(&mut connection, self.member, self.config.lease()).await?)
    }

    async fn seed(&self) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        store::seed(&mut tx, self.clock.now()).await?;
        Ok(tx.commit().await.map_err(ferrex_postgres::Error::Commit)?)
    }

    async fn forget(&self) -> Result<(), Error> {
        let mut connection = self.db.pool().acquire().await.doing("forgetting old runs")?;
        store::forget_old_runs(&mut connection, self.clock.now()).await?;
        Ok(())
    }

    /// Every schedule, for the board that staff see.
    pub async fn list_schedules(&self) -> Result<Vec<ScheduleRow>, Error> {
        let mut connection = self.db.pool().acquire().await.doing("listing the schedules")?;
        Ok(store::list(&mut connection).await?)
    }

    /// Changes a job's schedule. Moments before the change are not caught up.
    pub async fn change_schedule(&self, job: &str, schedule: &Schedule, enabled: bool) -> Result<(), Error> {
        let mut connection = self.db.pool().acquire().await.doing("changing a schedule")?;
        let next_at = schedule.first_after(self.clock.now());
        if store::change(&mut connection, job, schedule, enabled, next_at).await? {
            Ok(())
        } else {
            Err(Error::UnknownJob(job.to_owned()))
        }
    }
}
