//! How far a group is behind: a metric, and an alarm where it stands still.
//!
//! A message that fails is retried for seconds and then parked, so a partition with messages in which nothing moves for a
//! minute waits for something else: the database, a handler that hangs, a transaction that somebody else left open.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::transport::Lag;
use crate::{Bus, Error};

const LOOK_EVERY: Duration = Duration::from_secs(30);
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// Where a partition stands, and since when.
struct Standing {
    position: Option<i64>,
    since: Instant,
    told: bool,
}

pub(super) async fn watch(bus: &Bus, group: &str, topics: &[String], stop: &CancellationToken) {
    let mut standing = HashMap::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looked: Result<Vec<Lag>, Error> = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            looked = bus.inner.transport.lag(group, topics) => looked,
        };
        match looked {
            Ok(lags) => {
                for lag in &lags {
                    note(&mut standing, group, lag, Instant::now());
                }
            }
            Err(error) => tracing::debug!(%error, group, "asking how far the group is behind failed"),
        }
    }
}

/// Answers whether it raised the alarm.
fn note(standing: &mut HashMap<(String, i32), Standing>, group: &str, lag: &Lag, now: Instant) -> bool {
    let messages = lag.messages();
    metrics::gauge!(
        "ferrex_bus_lag_messages",
        "group" => group.to_owned(),
        "topic" => lag.topic.clone(),
        "partition" => lag.partition.to_string()
    )
    .set(f64::from(u32::try_from(messages).unwrap_or(u32::MAX)));
    let place = (lag.topic.clone(), lag.partition);
    if messages <= 0 {
        standing.remove(&place);
        return false;
    }
    let seen = standing.entry(place).or_insert(Standing {
        position: lag.position,
        since: now,
        told: false,
    });
    if seen.position != lag.position {
        (seen.position, seen.since, seen.told) = (lag.position, now, false);
    }
    let stuck = !seen.told && now.duration_since(seen.since) >= STUCK_AFTER;
    if stuck {
        seen.told = true;
        tracing::error!(
            group,
            topic = lag.topic,
            partition = lag.partition,
            position = lag.position,
            messages,
            "messages wait and none is handled"
        );
    }
    stuck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f068_what_stands_still_with_messages_raises_the_alarm_once() {
        let (mut standing, start) = (HashMap::new(), Instant::now());
        let mut at = |seconds: u64, position: i64, end: i64| {
            let lag = Lag {
                topic: "t".to_owned(),
                partition: 0,
                position: Some(position),
                end,
            };
            note(&mut standing, "g", &lag, start + Duration::from_secs(seconds))
        };
        assert!(!at(0, 5, 5), "nothing waits");
        assert!(!at(30, 5, 9));
        assert!(!at(60, 6, 9), "it moves");
        assert!(!at(90, 6, 9));
        assert!(at(120, 6, 9));
        assert!(!at(150, 6, 9), "told before");
        assert!(!at(180, 7, 9));
        assert!(at(240, 7, 9), "it stands still again");
    }
}
