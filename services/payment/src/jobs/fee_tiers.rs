//! Tells the engine the fee tier of everybody whose tier has changed.

use ferrex_engine_core::{Action, Command, Reason};
use ferrex_fault::Fault;
use ferrex_ids::{CommandId, UserId};
use ferrex_postgres::Error as DbError;
use uuid::Uuid;

use crate::Context;
use crate::fee::store;

/// The job's name in the schedule.
pub const JOB: &str = "fee_tiers";
/// People who are looked at together.
const BATCH: usize = 500;

/// Compares what each person has traded in 30 days with what the engine was told. The engine is told first: who dies in
/// between tells it again, which changes nothing.
pub async fn run(context: &Context) -> Result<(), Fault> {
    let now = context.clock.now();
    let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
    let Some(schedule) = store::find_schedule(&mut open).await? else {
        return Ok(());
    };
    drop(open);
    let mut after = UserId::from_uuid(Uuid::nil());
    loop {
        let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
        let people = store::list_standings(&mut open, schedule.asset, now, after, BATCH).await?;
        drop(open);
        for (user, volume, told) in &people {
            let tier = schedule.tier_of(*volume);
            if tier == *told {
                continue;
            }
            let command = Command {
                id: CommandId::new_at(context.clock.unix_ms()),
                at: now,
                reason: Reason::MarketAdmin,
                reference: user.uuid(),
                action: Action::SetFeeTier {
                    owner: user.uuid(),
                    tier,
                },
            };
            context.engine.submit(command).await?;
            let mut open = context.db.pool().acquire().await.map_err(DbError::Connect)?;
            store::set_tier(&mut open, *user, tier, now).await?;
        }
        let Some((last, ..)) = people.last().filter(|_| people.len() == BATCH) else {
            return Ok(());
        };
        after = *last;
    }
}
