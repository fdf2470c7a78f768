//! What a member has committed, or asked the library to commit, in the partitions that it holds.

use std::collections::HashMap;

use crate::transport::{Partition, Position};

/// A position never goes back, and one whose commit was lost is not forgotten when no message follows it.
#[derive(Default)]
pub(super) struct Positions {
    /// The newest of each partition held; `None` where the group has none.
    held: HashMap<Partition, Option<i64>>,
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

    /// Those that the group must have, whoever committed them.
    pub fn due(&self) -> Vec<Position> {
        let held = self.held.iter();
        held.filter_map(|(partition, position)| Some((partition.clone(), (*position)?)))
            .collect()
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
    fn f061_what_is_due_is_the_newest_of_what_is_held() {
        let mut positions = Positions::default();
        positions.start(partition(0), None);
        positions.start(partition(1), None);
        assert_eq!(positions.due(), []);
        positions.advance(vec![(partition(0), 7)]);
        positions.advance(vec![(partition(0), 9)]);
        assert_eq!(positions.due(), [(partition(0), 9)]);
        positions.give_up(&[partition(0)]);
        assert_eq!(positions.due(), []);
    }
}
