//! When a job is due. Pure: the moment comes in.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use ferrex_time::{Duration, Timestamp};

use crate::Error;

/// How late a tick may be and still count as on time. The leader looks every second and may be replaced.
const ON_TIME: Duration = Duration::seconds(60);

/// Most moments looked at in one go; what is left comes in the next.
const AT_ONCE_MAX: usize = 500;

/// A cron expression of five fields, or six with seconds first: `0 9 * * MON-FRI`, `*/10 * * * * *`, `0 0 L * *` (the
/// last day of the month).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    cron: Cron,
}

impl Expression {
    /// Reads an expression. A day of the month after the 28th is refused, since short months would be left out without a
    /// word: `L` is the last day.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |reason: String| Error::Expression {
            expression: text.to_owned(),
            reason,
        };
        if text.len() > 100 || !text.is_ascii() {
            return Err(refused("give at most 100 ASCII characters".to_owned()));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| refused(error.to_string()))?;
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let day = if fields.len() >= 5 {
            fields[fields.len() - 3]
        } else {
            "*"
        };
        let number = |part: &str| part.trim_end_matches(['W', 'w']).parse::<u8>().ok();
        if day.split(',').filter_map(number).any(|day| day > 28) {
            return Err(refused(
                "not every month has that day; write L for the last day of the month".to_owned(),
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            cron,
        })
    }

    /// The first moment after `moment` (or at it) in this zone; none when there is none within centuries.
    fn next(&self, zone: Tz, moment: Timestamp, inclusive: bool) -> Option<Timestamp> {
        let local = moment.with_timezone(&zone);
        self.cron
            .find_next_occurrence(&local, inclusive)
            .ok()
            .map(|next| next.to_utc())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What becomes of moments that passed while nobody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// One tick, for the last of them.
    RunOnce,
    /// A tick for each, in order.
    RunAll,
    /// None, unless it is less than a minute late.
    Skip,
}

impl CatchUp {
    /// As it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::RunAll => "run_all",
            Self::Skip => "skip",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::RunOnce, Self::RunAll, Self::Skip]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// A job's schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When.
    pub expression: Expression,
    /// On whose clock.
    pub zone: Tz,
    /// What becomes of moments that passed.
    pub catch_up: CatchUp,
}

/// What a look at a schedule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The moments to tick for, in order.
    pub ticks: Vec<Timestamp>,
    /// How many moments passed without a tick.
    pub skipped: u64,
    /// The first moment not dealt with; later than `now` unless there were too many for one go.
    pub next_at: Timestamp,
}

impl Schedule {
    /// Reads a schedule from its parts.
    pub fn parse(expression: &str, zone: &str, catch_up: CatchUp) -> Result<Self, Error> {
        let zone = Tz::from_str(zone).map_err(|_| Error::TimeZone(zone.to_owned()))?;
        Ok(Self {
            expression: Expression::parse(expression)?,
            zone,
            catch_up,
        })
    }

    /// The first moment after `moment`; the end of time for an expression that never matches.
    pub fn first_after(&self, moment: Timestamp) -> Timestamp {
        self.expression
            .next(self.zone, moment, false)
            .unwrap_or(Timestamp::MAX_UTC)
    }

    /// What is due at `now`, when everything before `next_at` has been dealt with.
    ///
    /// A repeated hour (clocks go back) has each fixed moment once, a skipped hour (clocks go forward) has its fixed
    /// moments at its end, as cron does.
    pub fn due(&self, next_at: Timestamp, now: Timestamp) -> Due {
        let mut due = Due {
            ticks: Vec::new(),
            skipped: 0,
            next_at,
        };
        for _ in 0..AT_ONCE_MAX {
            if due.next_at > now {
                break;
            }
            due.ticks.push(due.next_at);
            due.next_at = self.first_after(due.next_at);
        }
        let passed = due.ticks.len();
        match self.catch_up {
            CatchUp::RunAll => {}
            // When there were too many for one go, the last one comes with the rest.
            CatchUp::RunOnce if due.next_at <= now => due.ticks.clear(),
            CatchUp::RunOnce => due.ticks.drain(..passed.saturating_sub(1)).for_each(drop),
            CatchUp::Skip => due.ticks.retain(|moment| *moment >= now - ON_TIME),
        }
        due.skipped = u64::try_from(passed - due.ticks.len()).unwrap_or(u64::MAX);
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(expression: &str, zone: &str, catch_up: CatchUp) -> Schedule {
        Schedule::parse(expression, zone, catch_up).unwrap()
    }

    /// All moments in `[from, until]`.
    fn moments(expression: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let schedule = schedule(expression, zone, CatchUp::RunAll);
        let first = schedule.first_after(at(from) - Duration::seconds(1));
        schedule
            .due(first, at(until))
            .ticks
            .iter()
            .map(|tick| tick.format("%m-%dT%H:%M").to_string())
            .collect()
    }

    #[test]
    fn f098_a_skipped_hour_runs_at_its_end_and_a_repeated_hour_once() {
        // Zurich, 2026-03-29: 02:00 becomes 03:00 (UTC+1 to UTC+2); 2026-10-25: 03:00 becomes 02:00.
        let zone = "Europe/Zurich";
        assert_eq!(
            moments("30 2 * * *", zone, "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z"),
            ["03-28T01:30", "03-29T01:00", "03-30T00:30"]
        );
        assert_eq!(
            moments("30 2 * * *", zone, "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z"),
            ["10-24T00:30", "10-25T00:30", "10-26T01:30"]
        );
        let hours = moments("0 * * * *", zone, "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z");
        assert_eq!(
            hours,
            ["10-25T00:00", "10-25T01:00", "10-25T02:00", "10-25T03:00"],
            "an hour is an hour"
        );
    }

    #[test]
    fn h081_month_end_and_leap_day() {
        assert_eq!(
            moments("0 0 L * *", "UTC", "2028-01-01T00:00:00Z", "2028-05-01T00:00:00Z"),
            ["01-31T00:00", "02-29T00:00", "03-31T00:00", "04-30T00:00"]
        );
        let leap = schedule("0 0 L 2 *", "UTC", CatchUp::RunAll);
        assert_eq!(
            leap.first_after(at("2027-01-01T00:00:00Z")),
            at("2027-02-28T00:00:00Z")
        );
        for expression in ["0 0 31 * *", "0 0 1,30 * *", "0 0 29 2 *"] {
            let error = Expression::parse(expression).unwrap_err().to_string();
            assert!(error.contains("write L"), "{error}");
        }
    }

    #[test]
    fn days_follow_the_zone_and_not_utc() {
        assert_eq!(
            moments(
                "0 0 1 * *",
                "Asia/Tokyo",
                "2026-01-01T00:00:00Z",
                "2026-03-01T00:00:00Z"
            ),
            ["01-31T15:00", "02-28T15:00"]
        );
    }

    #[test]
    fn h080_missed_moments_follow_the_declared_policy() {
        let (next, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T03:30:00Z"));
        let due = |policy| schedule("0 * * * *", "UTC", policy).due(next, now);
        let hour = |hour: u32| at(&format!("2026-01-01T{hour:02}:00:00Z"));
        let all = due(CatchUp::RunAll);
        assert_eq!(
            (all.ticks, all.skipped),
            (vec![hour(0), hour(1), hour(2), hour(3)], 0)
        );
        let once = due(CatchUp::RunOnce);
        assert_eq!((once.ticks, once.skipped), (vec![hour(3)], 3));
        let skip = due(CatchUp::Skip);
        assert_eq!((skip.ticks, skip.skipped, skip.next_at), (vec![], 4, hour(4)));
        let on_time =
            schedule("0 * * * *", "UTC", CatchUp::Skip).due(hour(3), hour(3) + Duration::seconds(59));
        assert_eq!(on_time.ticks, [hour(3)]);
    }

    #[test]
    fn a_long_absence_is_caught_up_in_bounded_parts() {
        let (start, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        for (policy, expected) in [(CatchUp::RunAll, 1_441), (CatchUp::RunOnce, 1)] {
            let schedule = schedule("* * * * *", "UTC", policy);
            let (mut next, mut ticks) = (start, Vec::new());
            while next <= now {
                let due = schedule.due(next, now);
                assert!(due.ticks.len() <= AT_ONCE_MAX);
                ticks.extend(due.ticks);
                next = due.next_at;
            }
            assert_eq!((ticks.len(), ticks.last()), (expected, Some(&now)), "{policy:?}");
        }
    }

    #[test]
    fn odd_expressions_and_zones_are_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* * * * * * *",
            "@yearlyish",
            "a b c d e",
            "0 0 32 * *",
            "１ * * * *",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        assert!(Schedule::parse("* * * * *", "Mars/Base", CatchUp::Skip).is_err());
    }

    proptest! {
        /// Whatever the looks, each moment is ticked once and in order, and no look goes back.
        #[test]
        fn i016_looks_at_any_times_give_each_moment_once(
            steps in proptest::collection::vec(-600i64..7_200, 1..40),
            expression in proptest::sample::select(vec!["*/7 * * * *", "0 */3 * * *", "30 2 * * *", "15 0 L * *", "*/20 * * * * *"]),
            zone in proptest::sample::select(vec!["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"]),
            start in 0i64..400,
        ) {
            let schedule = schedule(expression, zone, CatchUp::RunAll);
            let start = at("2026-01-01T00:00:00Z") + Duration::days(start);
            let first = schedule.first_after(start);
            let (mut now, mut next, mut ticks) = (start, first, Vec::new());
            for step in steps {
                now += Duration::seconds(step);
                let due = schedule.due(next, now);
                prop_assert!(due.next_at >= next);
                prop_assert!(due.ticks.iter().all(|tick| *tick >= next && *tick <= now));
                ticks.extend(due.ticks);
                next = due.next_at;
            }
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
            let mut expected = Vec::new();
            let mut moment = first;
            while moment < next {
                expected.push(moment);
                moment = schedule.first_after(moment);
            }
            prop_assert_eq!(ticks, expected);
        }
    }
}
