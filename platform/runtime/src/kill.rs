//! Kill points: the process aborts at a named place on command, so that a test can interrupt it between any two steps.
//!
//! `FERREX_KILL=name:n` aborts at the n-th hit of `name`; `FERREX_KILL=name@detail:n` counts only hits with that
//! detail. `FERREX_KILL_EACH=directory` aborts at the first hit of every point with every detail: a file in the
//! directory named `name@detail` says that it was reached, so a process that is started again comes past it and dies at
//! the next one. In a release build the functions are empty and the variables are not read.

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

/// Says that a point exists, whether or not it is ever reached: in the directory of `FERREX_KILL_EACH` a file
/// `known/name@detail`.
#[cfg(not(debug_assertions))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "a release build keeps nothing of it")]
pub fn announce(_name: &'static str, _detail: &str) {}

/// Says that a point exists, whether or not it is ever reached: in the directory of `FERREX_KILL_EACH` a file
/// `known/name@detail`.
#[cfg(debug_assertions)]
pub fn announce(name: &'static str, detail: &str) {
    if let Some(each) = each::from_environment() {
        each.announce(name, detail);
    }
}

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
    if let Some(each) = each::from_environment()
        && each.is_first(name, detail)
    {
        tracing::error!(point = name, detail, "killed at its first hit");
        std::process::abort();
    }
}

#[cfg(debug_assertions)]
mod each {
    use std::collections::HashSet;
    use std::fs::{OpenOptions, create_dir_all};
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    const VARIABLE: &str = "FERREX_KILL_EACH";

    /// Where it is kept which points were reached.
    #[derive(Debug)]
    pub(super) struct Each {
        directory: PathBuf,
        reached: Mutex<HashSet<String>>,
    }

    pub(super) fn from_environment() -> Option<&'static Each> {
        static EACH: OnceLock<Option<Each>> = OnceLock::new();
        EACH.get_or_init(|| std::env::var_os(VARIABLE).map(|directory| Each::new(directory.into())))
            .as_ref()
    }

    /// A point as a file is named.
    fn file_name(name: &str, detail: &str) -> String {
        let file = if detail.is_empty() {
            name.to_owned()
        } else {
            format!("{name}@{detail}")
        };
        file.replace('/', "_")
    }

    impl Each {
        pub(super) fn new(directory: PathBuf) -> Self {
            Self {
                directory,
                reached: Mutex::default(),
            }
        }

        /// Whether no process has reached it before.
        pub(super) fn is_first(&self, name: &str, detail: &str) -> bool {
            let file = file_name(name, detail);
            let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
            if reached.contains(&file) {
                return false;
            }
            let path = self.directory.join(&file);
            reached.insert(file);
            // The lock is held until the process has ended, so no other thread comes past a point meanwhile that is
            // the first one too and would count as reached without a kill.
            let first = OpenOptions::new().write(true).create_new(true).open(path).is_ok();
            if first {
                std::mem::forget(reached);
            }
            first
        }

        pub(super) fn announce(&self, name: &str, detail: &str) {
            let known = self.directory.join("known");
            let written =
                create_dir_all(&known).and_then(|()| std::fs::write(known.join(file_name(name, detail)), []));
            if let Err(error) = written {
                tracing::error!(%error, point = name, detail, "a kill point could not be announced");
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn each_point_is_the_first_once_whatever_process_asks() {
            let directory = std::env::temp_dir().join(format!("ferrex-each-{}", std::process::id()));
            create_dir_all(&directory).unwrap();
            for (detail, first) in [("a/b", true), ("c", true), ("a/b", false)] {
                assert_eq!(
                    Each::new(directory.clone()).is_first("flow.after_persist", detail),
                    first,
                    "{detail}"
                );
            }
            let each = Each::new(directory.clone());
            each.announce("flow.before_persist", "withdrawal.signed");
            assert!(
                directory
                    .join("known/flow.before_persist@withdrawal.signed")
                    .exists()
            );
            assert!(directory.join("flow.after_persist@a_b").exists());
            std::fs::remove_dir_all(directory).unwrap();
        }
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
