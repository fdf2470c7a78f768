use ferrex_time::{Duration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// At most so many tries in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Tries.
    pub max: u32,
    /// Length of the window in seconds.
    pub window_s: u32,
}

impl Limit {
    const fn new(max: u32, window_s: u32) -> Self {
        Self { max, window_s }
    }

    pub(crate) fn window(self) -> Duration {
        Duration::seconds(i64::from(self.window_s))
    }
}

/// Every limit of this service. "Network" is an IPv4 address or the /64 of an IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Limits {
    /// Mails with codes to one address, whatever they are for (A16).
    pub mails_per_address: Limit,
    /// Registrations and resends from one network.
    pub registrations_per_network: Limit,
    /// Password resets asked for from one network.
    pub resets_per_network: Limit,
    /// Codes and links presented from one network.
    pub answers_per_network: Limit,
    /// Wrong passwords from one network, over all accounts (A01).
    pub logins_per_network: Limit,
    /// Wrong second-factor codes per account over all its sessions (A05).
    pub factors_per_user: Limit,
    /// The same over a longer time.
    pub factors_per_user_long: Limit,
    /// Wrong passwords of a logged-in person who is asked for it again.
    pub reauthentications_per_user: Limit,
    /// Identity submissions per account.
    pub verifications_per_user: Limit,
    /// Wrong passwords per account from places that never logged in to it; then a hard stop for such places.
    pub strangers_per_account: Limit,
    /// Wrong passwords per account and network before each costs a delay.
    pub free_logins: u32,
    /// Longest delay in seconds.
    pub login_delay_max_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mails_per_address: Limit::new(5, 3600),
            registrations_per_network: Limit::new(30, 3600),
            resets_per_network: Limit::new(20, 3600),
            answers_per_network: Limit::new(60, 3600),
            logins_per_network: Limit::new(60, 900),
            factors_per_user: Limit::new(5, 300),
            factors_per_user_long: Limit::new(50, 86_400),
            reauthentications_per_user: Limit::new(10, 900),
            verifications_per_user: Limit::new(5, 86_400),
            strangers_per_account: Limit::new(50, 86_400),
            free_logins: 5,
            login_delay_max_s: 900,
        }
    }
}

/// Wrong passwords of one subject: an account seen from one place, or seen from all strange places together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Tries that were not followed by a success.
    pub failures: u32,
    /// When they are forgotten.
    pub window_ends: Timestamp,
    /// When the next try is allowed.
    pub blocked_until: Timestamp,
}

/// How a [`Guard`] reacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRule {
    /// Tries without a delay.
    pub free: u32,
    /// Longest delay.
    pub delay_max: Duration,
    /// After so many, no more until the window ends.
    pub stop_after: u32,
    /// Length of the window.
    pub window: Duration,
}

impl GuardRule {
    /// For an account seen from one place: delays that double, then a stop.
    pub fn for_place(limits: &Limits) -> Self {
        Self {
            free: limits.free_logins,
            delay_max: Duration::seconds(i64::from(limits.login_delay_max_s)),
            stop_after: limits.strangers_per_account.max,
            window: limits.strangers_per_account.window(),
        }
    }

    /// For an account seen from all strange places: no delay, which would be a weapon against the owner, but a stop.
    pub fn for_strangers(limits: &Limits) -> Self {
        Self {
            free: u32::MAX,
            ..Self::for_place(limits)
        }
    }
}

impl Guard {
    /// Counts a try in advance, or says when the next one is allowed.
    pub fn begin(before: Option<Self>, now: Timestamp, rule: &GuardRule) -> Result<Self, Timestamp> {
        let before = before.filter(|guard| guard.window_ends > now).unwrap_or(Self {
            failures: 0,
            window_ends: now + rule.window,
            blocked_until: now,
        });
        if before.blocked_until > now {
            return Err(before.blocked_until);
        }
        let failures = before.failures.saturating_add(1);
        let blocked_until = if failures >= rule.stop_after {
            before.window_ends
        } else if failures < rule.free {
            now
        } else {
            let doublings = (failures - rule.free).min(20);
            now + Duration::seconds(1 << doublings).min(rule.delay_max)
        };
        Ok(Self {
            failures,
            blocked_until,
            ..before
        })
    }

    /// Whether this was the try that brought the stop, of which the owner is told.
    pub fn just_stopped(&self, rule: &GuardRule) -> bool {
        self.failures == rule.stop_after
    }

    /// Gives one try back, after a success from a strange place.
    #[must_use]
    pub fn give_back(self, now: Timestamp) -> Self {
        Self {
            failures: self.failures.saturating_sub(1),
            blocked_until: now,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        ferrex_time::from_micros(1_700_000_000_000_000)
    }

    #[test]
    fn a002_delays_double_and_end_in_a_stop_at_fifty() {
        let rule = GuardRule::for_place(&Limits::default());
        let (mut now, mut guard, mut delays) = (start(), None, Vec::new());
        for _ in 0..50 {
            let after = Guard::begin(guard, now, &rule).unwrap();
            delays.push((after.blocked_until - now).num_seconds());
            now = now.max(after.blocked_until);
            guard = Some(after);
        }
        assert_eq!(delays[..9], [0, 0, 0, 0, 1, 2, 4, 8, 16]);
        assert!(delays[5..49].iter().all(|delay| *delay <= 900));
        let last = guard.unwrap();
        assert!(last.just_stopped(&rule));
        assert_eq!(last.blocked_until, last.window_ends);
    }

    #[test]
    fn a002_after_the_stop_nothing_goes_until_the_window_ends() {
        let rule = GuardRule {
            free: u32::MAX,
            ..GuardRule::for_strangers(&Limits::default())
        };
        let mut guard = None;
        for _ in 0..50 {
            guard = Some(Guard::begin(guard, start(), &rule).unwrap());
        }
        let end = guard.unwrap().window_ends;
        assert_eq!(
            Guard::begin(guard, start() + Duration::hours(23), &rule),
            Err(end)
        );
        assert_eq!(Guard::begin(guard, end, &rule).unwrap().failures, 1);
    }

    #[test]
    fn a_success_gives_its_try_back() {
        let rule = GuardRule {
            stop_after: 1,
            ..GuardRule::for_strangers(&Limits::default())
        };
        let guard = Guard::begin(None, start(), &rule).unwrap();
        assert!(guard.blocked_until > start());
        let back = guard.give_back(start());
        assert_eq!((back.failures, back.blocked_until), (0, start()));
    }
}
