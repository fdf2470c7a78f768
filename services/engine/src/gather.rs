//! How long the owner's loop lets callers that were just answered come back before it sends the next batch.
//!
//! Callers that wait for one answer before they send the next command fall into two halves when nothing waits for them:
//! one half's commands are being committed while the other half's gather, and each commit carries half of what it could.
//! A short wait after the answers brings them together, which doubles the throughput of a slow disk. It is a small part
//! of what the last commit took, ends as soon as all are back, and is left out while callers do not come back.

use std::time::Duration;

/// The wait is at most this part of the last commit's time.
const SHARE: u32 = 8;
/// And never longer than this.
const LONGEST: Duration = Duration::from_millis(1);
/// While waiting does not pay, every so many batches are tried again.
const TRY_AGAIN: u32 = 32;

/// What is known of the callers' habits.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Answered after the last commit, and how long that took.
    answered: usize,
    commit: Duration,
    /// Batches until waiting is tried again; 0 while it pays.
    without: u32,
}

/// How long to wait, and for how many submissions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) at_most: Duration,
    pub(crate) until_gathered: usize,
}

impl Patience {
    /// Remembers a commit that answered so many.
    pub(crate) fn committed(&mut self, answered: usize, took: Duration) {
        (self.answered, self.commit) = (answered, took);
    }

    /// Whether to wait now that `gathered` submissions are there. A single caller is never waited for: its next command is a
    /// batch either way.
    pub(crate) fn wait(&mut self, gathered: usize, batch_max: usize) -> Option<Wait> {
        let answered = std::mem::take(&mut self.answered);
        if answered < 2 || gathered >= batch_max {
            return None;
        }
        if self.without > 0 {
            self.without -= 1;
            return None;
        }
        Some(Wait {
            at_most: (self.commit / SHARE).min(LONGEST),
            until_gathered: batch_max.min(gathered + answered),
        })
    }

    /// Learns from a wait that began with `before` submissions and ended with `after`.
    pub(crate) fn waited(&mut self, wait: &Wait, before: usize, after: usize) {
        let hoped_for = wait.until_gathered - before;
        if 2 * (after - before) < hoped_for {
            self.without = TRY_AGAIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answered: usize, took: Duration) -> Patience {
        let mut patience = Patience::default();
        patience.committed(answered, took);
        patience
    }

    #[test]
    fn those_who_were_answered_are_waited_for_once_and_in_proportion_to_the_commit() {
        let mut patience = after(100, Duration::from_millis(4));
        let wait = patience.wait(100, 4_096);
        assert_eq!(
            wait,
            Some(Wait {
                at_most: Duration::from_micros(500),
                until_gathered: 200
            })
        );
        assert_eq!(patience.wait(100, 4_096), None, "nobody was answered since");
    }

    #[test]
    fn the_wait_has_an_end_on_a_slow_disk_and_stays_within_a_batch() {
        let wait = after(100, Duration::from_secs(1)).wait(4_000, 4_096);
        assert_eq!(
            wait,
            Some(Wait {
                at_most: LONGEST,
                until_gathered: 4_096
            })
        );
        assert_eq!(after(100, Duration::from_millis(4)).wait(4_096, 4_096), None);
    }

    #[test]
    fn one_caller_is_not_waited_for() {
        assert_eq!(after(1, Duration::from_millis(4)).wait(1, 4_096), None);
    }

    #[test]
    fn callers_who_do_not_come_back_are_waited_for_once_in_a_while() {
        let mut patience = after(100, Duration::from_millis(4));
        let wait = patience.wait(1, 4_096).expect("a first try");
        patience.waited(&wait, 1, 50);
        for _ in 0..TRY_AGAIN {
            patience.committed(100, Duration::from_millis(4));
            assert_eq!(patience.wait(1, 4_096), None);
        }
        patience.committed(100, Duration::from_millis(4));
        let again = patience.wait(1, 4_096).expect("another try");
        patience.waited(&again, 1, 90);
        patience.committed(100, Duration::from_millis(4));
        assert!(
            patience.wait(1, 4_096).is_some(),
            "they come back, so waiting goes on"
        );
    }
}
