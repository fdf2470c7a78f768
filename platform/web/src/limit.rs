use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use ferrex_ids::UserId;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::{ClientAddress, Config, ConfigError, Problem, RateConfig};

/// Every so many calls the limiters forget who has not called for a while, so that their memory is bounded by recent
/// callers.
const FORGET_EVERY: u32 = 4_096;

/// The rates of one listener, by client address and by person.
pub(crate) struct RateLimits {
    addresses: Limiter<IpAddr>,
    users: Limiter<UserId>,
}

struct Limiter<K: Hash + Eq + Clone> {
    rates: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
    calls: AtomicU32,
}

impl RateLimits {
    pub(crate) fn try_new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            addresses: Limiter::try_new(config.per_address, "per_address")?,
            users: Limiter::try_new(config.per_user, "per_user")?,
        })
    }

    pub(crate) fn check_address(&self, client: ClientAddress) -> Result<(), Problem> {
        self.addresses.check(&client.bucket())
    }

    pub(crate) fn check_user(&self, user: UserId) -> Result<(), Problem> {
        self.users.check(&user)
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn try_new(rate: RateConfig, setting: &'static str) -> Result<Self, ConfigError> {
        let positive = |value| NonZeroU32::new(value).ok_or(ConfigError::Zero { setting });
        let quota = Quota::per_second(positive(rate.per_second)?).allow_burst(positive(rate.burst)?);
        Ok(Self {
            rates: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            calls: AtomicU32::new(0),
        })
    }

    fn check(&self, key: &K) -> Result<(), Problem> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.rates.retain_recent();
        }
        self.rates.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait > Duration::from_secs(wait.as_secs()));
            let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX);
            let detail = format!("too many calls; try again in {seconds} s");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "web.rate.exceeded", detail).with_retry_after(seconds)
        })
    }
}
