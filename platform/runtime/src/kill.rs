//! Kill points: the process aborts at a named place on command, so that a test can interrupt it between any two steps.
//!
//! `FERREX_KILL=name:n` aborts at the n-th hit of `name`; `FERREX_KILL=name@detail:n` counts only hits with that
//! detail. In a release build the functions are empty and the variable is not read.

/// Aborts here when the environment says so.
#[inline]
pub fn point(name: &'static str) {
    point_with(name, "");
}

/// Aborts here when the environment says so for `name`, or for `name` with this very `detail`.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "a release build keeps nothing of it")]
pub fn point_with(_name: &'static str, _detail: &str) {}

/// Aborts here when the environment says so for `name`, or for `name` with this very `detail`.
#[cfg(debug_assertions)]
pub fn point_with(name: &'static str, detail: &str) {
    use std::sync::OnceLock;
    static ORDER: OnceLock<Option<order::Order>> = OnceLock::new();
    let order = ORDER.get_or_init(|| {
        std::env::var(order::VARIABLE)
            .ok()
            .and_then(|text| order::read(&text))
    });
    if let Some(order) = order
        && order.is_due(name, detail)
    {
        tracing::error!(point = name, detail, "killed on command");
        std::process::abort();
    }
}

#[cfg(debug_assertions)]
mod order {
    use std::sync::atomic::{AtomicU32, Ordering};

    pub(super) const VARIABLE: &str = "FERREX_KILL";

    /// Which hit of which point is the last.
    #[derive(Debug)]
    pub(super) struct Order {
        name: String,
        detail: Option<String>,
        hits_left: AtomicU32,
    }

    /// Reads `name[@detail]:n`; a text of another form gives no order and says so in the log.
    pub(super) fn read(text: &str) -> Option<Order> {
        let order = text.rsplit_once(':').and_then(|(place, hits)| {
            let hits = hits.parse().ok().filter(|hits| *hits > 0)?;
            let (name, detail) = match place.split_once('@') {
                Some((name, detail)) => (name, Some(detail.to_owned())),
                None => (place, None),
            };
            Some(Order {
                name: name.to_owned(),
                detail,
                hits_left: AtomicU32::new(hits),
            })
        });
        if order.is_none() {
            tracing::error!(
                value = text,
                "{VARIABLE} is not of the form name[@detail]:n, nothing will be killed"
            );
        }
        order
    }

    impl Order {
        /// Counts a hit; true for the one that was ordered.
        pub(super) fn is_due(&self, name: &str, detail: &str) -> bool {
            if self.name != name || self.detail.as_deref().is_some_and(|wanted| wanted != detail) {
                return false;
            }
            self.hits_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                == Ok(1)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_ordered_hit_is_due_and_no_other() {
            let order = read("flow.after_persist@withdrawal.signed:2").unwrap();
            assert!(!order.is_due("flow.after_persist", "withdrawal.held"));
            assert!(!order.is_due("flow.before_persist", "withdrawal.signed"));
            assert!(!order.is_due("flow.after_persist", "withdrawal.signed"));
            assert!(order.is_due("flow.after_persist", "withdrawal.signed"));
            assert!(!order.is_due("flow.after_persist", "withdrawal.signed"));
        }

        #[test]
        fn without_detail_every_hit_counts() {
            let order = read("bus.after_commit:1").unwrap();
            assert!(order.is_due("bus.after_commit", "anything"));
        }

        #[test]
        fn another_form_is_no_order() {
            for text in ["", "name", "name:", "name:0", "name:-1", "name:x"] {
                assert!(read(text).is_none(), "{text}");
            }
        }
    }
}
