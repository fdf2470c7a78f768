//! What a member has committed, or asked the library to commit, in the partitions that it holds.

use std::collections::HashMap;

use crate::transport::{Partition, Position};

/// A position never goes back, and one whose commit failed is not forgotten when no message follows it.
#[derive(Default)]
pub(super) struct Positions {
    /// The newest of each partition held; `None` where the group has none.
    held: HashMap<Partition, Option<i64>>,
    failed: bool,
}

impl Positions {
    /// A partition is held from now on.
    pub fn start(&mut self, partition: Partition, position: Option<i64>) {
        self.held.insert(partition, position);
    }

    /// Partitions belong to others from now on.
    pub fn give_up(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.held.remove(partition);
        }
    }

    /// Those to commit: what was asked for before a partition was taken away, and is only read now, would set its next
    /// owner back.
    pub fn advance(&mut self, asked: Vec<Position>) -> Vec<Position> {
        let mut newer = asked;
        newer.retain(|(partition, position)| match self.held.get_mut(partition) {
            Some(known) if *known < Some(*position) => {
                *known = Some(*position);
                true
            }
            _ => false,
        });
        newer
    }

    /// A commit failed.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// All there is to commit again after a failure, once.
    pub fn again(&mut self) -> Option<Vec<Position>> {
        if !std::mem::take(&mut self.failed) {
            return None;
        }
        let held = self.held.iter();
        Some(
            held.filter_map(|(partition, position)| Some((partition.clone(), (*position)?)))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> Partition {
        Partition::new("svc.things.v1", number)
    }

    #[test]
    fn f061_a_commit_read_after_its_partition_was_taken_away_is_none() {
        let mut positions = Positions::default();
        positions.start(partition(0), Some(10));
        positions.start(partition(1), None);
        assert_eq!(
            positions.advance(vec![(partition(0), 12), (partition(1), 3)]),
            [(partition(0), 12), (partition(1), 3)]
        );
        positions.give_up(&[partition(0)]);
        assert_eq!(positions.advance(vec![(partition(0), 14)]), []);
        // Another went on to 20 before it came back here.
        positions.start(partition(0), Some(20));
        assert_eq!(
            positions.advance(vec![(partition(0), 14), (partition(0), 20)]),
            []
        );
        assert_eq!(positions.advance(vec![(partition(0), 21)]), [(partition(0), 21)]);
    }

    #[test]
    fn f061_what_could_not_be_committed_is_committed_again() {
        let mut positions = Positions::default();
        positions.start(partition(0), None);
        positions.start(partition(1), None);
        positions.advance(vec![(partition(0), 7)]);
        assert_eq!(positions.again(), None);
        positions.fail();
        assert_eq!(positions.again(), Some(vec![(partition(0), 7)]));
        assert_eq!(positions.again(), None);
        positions.fail();
        positions.give_up(&[partition(0)]);
        assert_eq!(positions.again(), Some(vec![]));
    }
}
