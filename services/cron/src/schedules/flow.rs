//! Giving ticks: lead, lock, compute, write, publish, in one transaction.

use ferrex_bus::{Outgoing, outbox};
use ferrex_contracts::cron::CronTick;
use ferrex_ids::MessageId;
use ferrex_postgres::{Db, Error as DbError, SqlResult as _};
use ferrex_runtime::kill;
use ferrex_time::Clock;

use super::store;
use crate::leader::{self, Leadership};
use crate::{Error, SCHEMA};

/// What became of a job that looked due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ticked {
    /// So many ticks were given.
    Given(usize),
    /// Somebody else leads now.
    Deposed,
}

/// Gives the ticks of one job that is due.
///
/// Lock order: leader (share), then schedule. A successor's take-over waits for the share lock, so no tick is given under
/// an epoch that is over.
pub(crate) async fn tick(db: &Db, clock: &dyn Clock, lead: &Leadership, job: &str) -> Result<Ticked, Error> {
    let mut tx = db.begin().await?;
    if !leader::holds(&mut tx, lead).await? {
        return Ok(Ticked::Deposed);
    }
    let now = clock.now();
    let Some(row) = store::lock_due(&mut tx, job, now).await? else {
        return Ok(Ticked::Given(0));
    };
    let due = row.schedule()?.due(row.next_at, now);
    let fresh = store::insert_runs(&mut tx, job, &due.ticks, now, lead.epoch).await?;
    for moment in &fresh {
        let message = CronTick {
            job: job.to_owned(),
            scheduled_for: *moment,
        };
        let id = MessageId::new_at(clock.unix_ms());
        outbox::put(&mut tx, &Outgoing::event(SCHEMA.schema, id, job, now, &message))
            .await
            .map_err(Error::Outbox)?;
    }
    store::move_on(&mut tx, job, due.next_at, due.skipped).await?;
    kill::point_with("cron.before_commit", job);
    tx.commit().await.map_err(DbError::Commit)?;
    kill::point_with("cron.after_commit", job);
    let labels = [("job", job.to_owned())];
    metrics::counter!("cron_ticks_total", &labels).increment(u64::try_from(fresh.len()).unwrap_or(u64::MAX));
    metrics::counter!("cron_skipped_total", &labels).increment(due.skipped);
    Ok(Ticked::Given(fresh.len()))
}

/// Gives every tick that is due. A job whose schedule cannot be read does not hold up the others.
pub(crate) async fn tick_all(db: &Db, clock: &dyn Clock, lead: &Leadership) -> Result<Ticked, Error> {
    let mut given = 0;
    let mut connection = db.pool().acquire().await.doing("looking for due jobs")?;
    let jobs = store::due_jobs(&mut connection, clock.now()).await?;
    drop(connection);
    for job in jobs {
        match tick(db, clock, lead, &job).await {
            Ok(Ticked::Given(ticks)) => given += ticks,
            Ok(Ticked::Deposed) => return Ok(Ticked::Deposed),
            Err(error @ Error::Stored { .. }) => {
                let fault = ferrex_fault::Fault::from(error);
                tracing::error!(
                    job,
                    error = fault.chain(),
                    "a schedule cannot be read, its job does not tick"
                );
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Ticked::Given(given))
}
