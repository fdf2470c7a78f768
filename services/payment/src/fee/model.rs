//! Which volume gives which tier.

use ferrex_money::{Amount, AssetId};

use super::Error;
use crate::market::model::TIERS_MAX;

/// Days that count, today included.
pub const DAYS: i32 = 30;

/// Which volume gives which tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Trades in markets of this asset count, by how much of it changed hands; prices of other markets are not asked.
    pub asset: AssetId,
    /// Growing: the least volume for tier 1, for tier 2 and so on.
    pub volumes: Vec<Amount>,
}

impl Schedule {
    /// A schedule whose volumes grow.
    pub fn try_new(asset: AssetId, volumes: Vec<Amount>) -> Result<Self, Error> {
        let most = usize::from(TIERS_MAX - 1);
        let grows = volumes.windows(2).all(|pair| pair[0] < pair[1]);
        if volumes.len() > most || !grows || volumes.first().is_some_and(|first| first.is_zero()) {
            return Err(Error::Volumes(most));
        }
        Ok(Self { asset, volumes })
    }

    /// The tier of who has traded so much.
    pub fn tier_of(&self, volume: Amount) -> u8 {
        let reached = self.volumes.partition_point(|least| *least <= volume);
        u8::try_from(reached).unwrap_or(TIERS_MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(volumes: &[u128]) -> Result<Schedule, Error> {
        Schedule::try_new(AssetId(1), volumes.iter().copied().map(Amount::new).collect())
    }

    #[test]
    fn a_tier_begins_at_its_volume_and_the_last_has_no_end() {
        let schedule = schedule(&[10, 100]).unwrap();
        for (volume, tier) in [(0, 0), (9, 0), (10, 1), (99, 1), (100, 2), (u128::MAX, 2)] {
            assert_eq!(schedule.tier_of(Amount::new(volume)), tier, "{volume}");
        }
    }

    #[test]
    fn volumes_that_do_not_grow_are_refused() {
        for volumes in [vec![0], vec![5, 5], vec![5, 4], (1..=64).collect()] {
            assert!(schedule(&volumes).is_err(), "{volumes:?}");
        }
        assert!(schedule(&[]).is_ok(), "everybody is in tier 0");
        assert!(schedule(&(1..=63).collect::<Vec<_>>()).is_ok());
    }
}
