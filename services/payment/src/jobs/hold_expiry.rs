//! Releases holds whose time has run out.

use ferrex_engine_core::{Action, Command, Reason, Step};
use ferrex_fault::Fault;

use crate::{Context, derive};

/// The job's name in the schedule.
pub const JOB: &str = "hold_expiry";
/// Holds asked for at once.
const BATCH: usize = 500;

/// Asks the engine which holds have run out and has them expired, under commands that follow from the holds: done twice,
/// they happen once.
pub async fn run(context: &Context) -> Result<(), Fault> {
    loop {
        let now = context.clock.now();
        let holds = context.engine.expired_holds(now, BATCH).await?;
        let count = holds.len();
        for hold in holds {
            let command = Command {
                id: derive::command(hold.uuid(), "expire", 0),
                at: now,
                reason: Reason::HoldExpiry,
                reference: hold.uuid(),
                action: Action::Transfer(vec![Step::Expire { hold }]),
            };
            // A refusal says that it was posted, voided or expired in between.
            context.engine.submit(command).await?;
        }
        if count < BATCH {
            return Ok(());
        }
    }
}
