//! What a broker said that it stored, so that it is noticed when the broker has lost some of it (F67): its log was wiped,
//! or a replica that lagged behind was elected.

use std::collections::HashMap;

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

/// The last message of each partition that a broker is known to have stored.
#[derive(Clone, Debug, Default)]
pub struct Marks(HashMap<Place, i64>);

impl Marks {
    /// Notes what was stored by the topics of the messages; answers the partitions that have gone back, whose broker has
    /// lost what it had.
    pub fn note<'a>(&mut self, receipts: impl IntoIterator<Item = (&'a str, Receipt)>) -> Vec<Place> {
        let before = self.0.clone();
        let mut lost = Vec::new();
        for (topic, receipt) in receipts {
            let place = (topic.to_owned(), receipt.partition);
            let gone_back = before.get(&place).is_some_and(|last| receipt.offset <= *last);
            if gone_back && !lost.contains(&place) {
                lost.push(place.clone());
            }
            self.0.insert(place, receipt.offset);
        }
        lost
    }

    /// Forgets a partition, whose messages are published again.
    pub fn forget(&mut self, place: &Place) {
        self.0.remove(place);
    }

    /// Asks the broker; answers the partitions that end before the last message known to have been stored there.
    pub async fn lost(&self, bus: &Bus) -> Result<Vec<Place>, Error> {
        let mut places: Vec<Place> = self.0.keys().cloned().collect();
        places.sort_unstable();
        let ends = bus.inner.transport.ends(&places).await?;
        let ended_before = |(place, end): &(Place, i64)| self.0.get(place).is_some_and(|last| end <= last);
        let lost = places.into_iter().zip(ends).filter(ended_before);
        Ok(lost.map(|(place, _)| place).collect())
    }
}

impl FromIterator<(Place, i64)> for Marks {
    fn from_iter<I: IntoIterator<Item = (Place, i64)>>(last: I) -> Self {
        Self(last.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn receipt(partition: i32, offset: i64) -> Receipt {
        Receipt { partition, offset }
    }

    #[test]
    fn f067_a_partition_that_goes_back_has_lost_something() {
        let mut marks: Marks = [(("a".to_owned(), 0), 7)].into_iter().collect();
        assert_eq!(
            marks.note([("a", receipt(0, 8)), ("a", receipt(1, 0)), ("b", receipt(0, 3))]),
            []
        );
        assert_eq!(marks.note([("a", receipt(0, 9)), ("a", receipt(0, 10))]), []);
        let back = [
            ("a", receipt(0, 4)),
            ("a", receipt(0, 5)),
            ("b", receipt(0, 3)),
            ("a", receipt(1, 1)),
        ];
        assert_eq!(marks.note(back), [("a".to_owned(), 0), ("b".to_owned(), 0)]);
        assert_eq!(
            marks.note([("a", receipt(0, 6))]),
            [],
            "it goes on from where it is"
        );
    }
}
