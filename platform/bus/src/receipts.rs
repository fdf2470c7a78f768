//! What a broker said that it stored, so that it is noticed when the broker has lost some of it (F67): its log was wiped,
//! or a replica that lagged behind was elected.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::{Bus, Error};

/// Where a broker stored a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The partition of its topic.
    pub partition: i32,
    /// Its place there; a broker that loses nothing gives out each one once, in growing order.
    pub offset: i64,
}

/// A partition: topic and number.
pub type Place = (String, i32);

/// The last place that each partition has given out, of receipts that come with their topics: as columns of topics, partitions and
/// offsets, in one order everywhere, so that two who store them do not wait for each other.
pub fn ends<'t>(taken: impl IntoIterator<Item = (&'t str, Receipt)>) -> (Vec<&'t str>, Vec<i32>, Vec<i64>) {
    let mut ends = BTreeMap::new();
    for (topic, receipt) in taken {
        let end = ends.entry((topic, receipt.partition)).or_insert(receipt.offset);
        *end = receipt.offset.max(*end);
    }
    let columns = |((topic, partition), offset)| (topic, partition, offset);
    ends.into_iter().map(columns).collect()
}

/// How often it is looked whether the broker still has what it took.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Knows the last message of each partition that a broker is known to have stored, and notices when that is gone.
#[derive(Debug)]
pub struct Watch {
    /// By topic and partition.
    last: HashMap<String, HashMap<i32, i64>>,
    /// Partitions that have gone back.
    lost: Vec<Place>,
    look_at: Instant,
    looking: Option<AbortOnDropHandle<Result<Vec<Place>, Error>>>,
    has_looked: bool,
}

impl Watch {
    /// Begins with what was stored before.
    pub fn new(last: impl IntoIterator<Item = (Place, i64)>) -> Self {
        let mut known: HashMap<String, HashMap<i32, i64>> = HashMap::new();
        for ((topic, partition), offset) in last {
            known.entry(topic).or_default().insert(partition, offset);
        }
        Self {
            last: known,
            lost: Vec::new(),
            look_at: Instant::now(),
            looking: None,
            has_looked: false,
        }
    }

    /// Notes where messages were stored, each with its topic. A partition that has gone back has lost what it had.
    pub fn note<'a>(&mut self, stored: impl IntoIterator<Item = (&'a str, Receipt)>) {
        for (topic, receipt) in stored {
            let last = match self.last.get_mut(topic) {
                Some(last) => last,
                None => self.last.entry(topic.to_owned()).or_default(),
            };
            let before = last.insert(receipt.partition, receipt.offset);
            if before.is_some_and(|before| receipt.offset <= before) {
                let place = (topic.to_owned(), receipt.partition);
                if !self.lost.contains(&place) {
                    self.lost.push(place);
                }
            }
        }
    }

    /// The partitions of which it is known by now that their broker has lost messages; each loss is told once. The broker is
    /// asked beside whatever goes on, and only the first time its answer is waited for, so that what it lost while nobody
    /// watched goes out before anything new.
    pub async fn lost(&mut self, bus: &Bus) -> Vec<Place> {
        if self.looking.is_none() && Instant::now() >= self.look_at {
            let last = self.last.iter().flat_map(|(topic, last)| {
                last.iter()
                    .map(|(partition, offset)| ((topic.clone(), *partition), *offset))
            });
            let look = look(bus.clone(), last.collect());
            self.looking = Some(AbortOnDropHandle::new(tokio::spawn(look)));
        }
        if let Some(looking) = &mut self.looking
            && (looking.is_finished() || !self.has_looked)
        {
            match looking.await {
                Ok(Ok(gone)) => self.lost.extend(gone),
                Ok(Err(error)) => tracing::debug!(%error, "whether the broker lost something is not known"),
                // Only a runtime that is going away cancels it.
                Err(_) => {}
            }
            (self.looking, self.has_looked) = (None, true);
            self.look_at = Instant::now() + LOOK_EVERY;
        }
        let mut lost = std::mem::take(&mut self.lost);
        lost.sort_unstable();
        lost.dedup();
        for (topic, partition) in &lost {
            if let Some(last) = self.last.get_mut(topic) {
                last.remove(partition);
            }
        }
        lost
    }

    /// What was told to be lost could not be made good yet, and is told again.
    pub fn still_lost(&mut self, lost: Vec<Place>) {
        self.lost.extend(lost);
    }
}

/// Asks the broker which partitions end before the last message that is known to have been stored there.
async fn look(bus: Bus, last: Vec<(Place, i64)>) -> Result<Vec<Place>, Error> {
    let (places, last): (Vec<Place>, Vec<i64>) = last.into_iter().unzip();
    let ends = bus.inner.transport.ends(&places).await?;
    let found = places.into_iter().zip(last).zip(ends);
    let gone = found.filter(|((_, last), end)| end <= last);
    Ok(gone.map(|((place, _), _)| place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn receipt(partition: i32, offset: i64) -> Receipt {
        Receipt { partition, offset }
    }

    #[test]
    fn ends_are_the_greatest_offsets_of_each_partition() {
        let taken = [
            ("a", receipt(0, 8)),
            ("b", receipt(0, 3)),
            ("a", receipt(1, 0)),
            ("a", receipt(0, 7)),
            ("a", receipt(0, 9)),
        ];
        let columns = (vec!["a", "a", "b"], vec![0, 1, 0], vec![9, 0, 3]);
        assert_eq!(ends(taken), columns);
    }

    #[test]
    fn f067_a_partition_that_goes_back_has_lost_something() {
        let mut watch = Watch::new([(("a".to_owned(), 0), 7)]);
        watch.note([("a", receipt(0, 8)), ("a", receipt(1, 0)), ("b", receipt(0, 3))]);
        watch.note([("a", receipt(0, 9)), ("a", receipt(0, 10))]);
        assert_eq!(watch.lost, []);
        watch.note([
            ("a", receipt(0, 4)),
            ("a", receipt(0, 5)),
            ("b", receipt(0, 3)),
            ("a", receipt(1, 1)),
        ]);
        assert_eq!(watch.lost, [("a".to_owned(), 0), ("b".to_owned(), 0)]);
        watch.note([("a", receipt(0, 6))]);
        assert_eq!(watch.lost.len(), 2, "it goes on from where it is");
    }
}
