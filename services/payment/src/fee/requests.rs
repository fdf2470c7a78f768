//! What staff ask of the schedule.

use ferrex_contracts::payment::{FeeSchedule, GetFeeSchedule, SetFeeSchedule};
use ferrex_fault::Fault;
use ferrex_postgres::Error as DbError;

use super::{Schedule, store};
use crate::{Context, registry};

/// Changes which volume gives which tier. People's tiers follow with the next run of the job.
pub async fn set(context: &Context, request: SetFeeSchedule) -> Result<FeeSchedule, Fault> {
    let schedule = Schedule::try_new(request.asset, request.volumes)?;
    let mut tx = context.db.begin().await?;
    registry::store::get_asset(&mut tx, schedule.asset).await?;
    store::insert_schedule(&mut tx, &schedule, &request.by, context.clock.now()).await?;
    tx.commit().await.map_err(DbError::Commit)?;
    tracing::info!(staff = %request.by.staff, reason = request.by.reason, tiers = schedule.volumes.len() + 1,
        "schedule of fee tiers changed");
    Ok(view(Some(schedule)))
}

/// Which volume gives which tier.
pub async fn get(context: &Context, _: GetFeeSchedule) -> Result<FeeSchedule, Fault> {
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    Ok(view(store::find_schedule(&mut open).await?))
}

fn view(schedule: Option<Schedule>) -> FeeSchedule {
    schedule.map_or_else(
        || FeeSchedule {
            asset: None,
            volumes: Vec::new(),
        },
        |schedule| FeeSchedule {
            asset: Some(schedule.asset),
            volumes: schedule.volumes,
        },
    )
}
