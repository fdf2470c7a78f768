//! Following the journal, and where to begin: pure, so that a standby and the simulator do the same.

use ferrex_engine_core::{
    AccountRow, Changes, Engine, JournalRow, LastRow, OrderChanges, ReplayError, Snapshot,
};
use ferrex_planted::planted;
use ferrex_time::Timestamp;

use crate::{Error, Refused};

/// The state of a follower.
#[derive(Debug)]
pub struct Following {
    pub(crate) engine: Engine,
    /// The projection in the database is at this row or beyond.
    projected: u64,
    /// Changes up to a row that the projection has not been seen to reach yet.
    unprojected: Option<(u64, Changes, OrderChanges)>,
}

impl Following {
    /// Begins with a state that the projection has reached, with nothing marked as changed.
    pub fn new(engine: Engine) -> Self {
        Self {
            projected: engine.sequence(),
            engine,
            unprojected: None,
        }
    }

    /// The state.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The row at or before which the projection is.
    pub const fn projected(&self) -> u64 {
        self.projected
    }

    /// Applies the next rows, with the accounts that they open.
    pub fn replay(&mut self, accounts: &[AccountRow], rows: &[JournalRow]) -> Result<(), ReplayError> {
        replay(&mut self.engine, accounts, rows)
    }

    /// Takes how far the projection is: forgets changes that the owner has projected, so that a long wait costs no memory.
    pub fn projection_reached(&mut self, reached: u64, window_from: Timestamp, commands_max: usize) {
        self.engine.forget_commands_before(window_from, commands_max);
        match self.unprojected.take() {
            Some(kept) if reached < kept.0 => self.unprojected = Some(kept),
            Some((upto, ..)) => {
                self.projected = upto;
                self.engine.forget_closed_holds();
            }
            None => {
                let (changes, orders) = (self.engine.drain_changes(), self.engine.drain_order_changes());
                if !changes.is_empty() || !orders.is_empty() {
                    self.unprojected = Some((self.engine.sequence(), changes, orders));
                }
            }
        }
    }

    /// The state for an owner whose lease was taken when the journal ended with row `last_id`, and the row after which
    /// all changes are marked in it.
    pub fn take_over(mut self, last_id: u64) -> Result<(Engine, u64), Error> {
        let at_end = self.engine.sequence() == last_id && self.engine.is_between_commands();
        if !at_end && !planted!("standby.takes_over_behind") {
            return Err(Error::Stored {
                what: "the end of the journal",
                row: last_id.to_string(),
            });
        }
        if let Some((_, changes, orders)) = self.unprojected.take()
            && !planted!("standby.forgets_unprojected")
        {
            self.engine.mark_changed(&changes);
            self.engine.mark_orders_changed(&orders);
        }
        Ok((self.engine, self.projected))
    }
}

/// The highest account that rows name: an account is opened by a command one of whose rows names it.
pub fn highest_account(rows: &[JournalRow]) -> u32 {
    rows.iter()
        .map(|row| row.debit.max(row.credit))
        .max()
        .unwrap_or(0)
}

/// Applies the next rows, with the accounts that they open.
pub fn replay(engine: &mut Engine, accounts: &[AccountRow], rows: &[JournalRow]) -> Result<(), ReplayError> {
    for account in accounts {
        engine.replay_account(account)?;
    }
    for row in rows {
        engine.replay(row)?;
    }
    Ok(())
}

/// Whether a snapshot at `row` lies beyond the projection but not beyond the journal: a projection that was made empty to
/// be written anew must hear of every change.
pub fn is_beyond_projection(row: u64, reached: u64, end: u64) -> bool {
    (reached + 1..=end).contains(&row) && !planted!("restart.snapshot_beyond_projection")
}

/// Whether a snapshot found at `place` is of this shard and of this journal, whose row there is `last`.
pub fn check_place(
    snapshot: &Snapshot,
    place: u64,
    shard: u16,
    last: Option<LastRow>,
) -> Result<(), Refused> {
    let (row, of) = (snapshot.last.id, snapshot.engine.shard());
    if row != place || of != shard {
        return Err(Refused::Misplaced { row, shard: of });
    }
    if last != Some(snapshot.last) {
        return Err(Refused::OtherJournal);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ferrex_engine_core::Batch;

    use super::*;
    use crate::pipeline::tests::refused;

    #[test]
    fn however_long_a_projection_takes_no_more_answers_are_kept() {
        let mut standby = Following::new(Engine::new(0));
        for number in 1..=20 {
            standby.engine.apply(&refused(number), &mut Batch::default());
            standby.projection_reached(0, ferrex_time::from_micros(0), 8);
        }
        assert_eq!((standby.engine.known_count(), standby.projected()), (8, 0));
    }
}
