//! Bugs that are planted on purpose: places in the product that break one rule when told to, so that the simulator can
//! show that it notices (`make planted`).
//!
//! `planted!("name")` is the constant `false`, and nothing of it is left in the program, unless the feature `on` is set.
//! Only `ferrex-sim` has a way to set it; an optimised build with it is refused here, and the binary `ferrex` does not
//! compile with it.

#[cfg(all(feature = "on", not(debug_assertions)))]
compile_error!("planted bugs are for the simulator's own test build");

/// Whether this build has the bugs in it at all.
pub const ENABLED: bool = cfg!(feature = "on");

/// Whether the bug of this name was chosen on this thread: the constant `false` in every build that is delivered.
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::is_chosen($name)
    };
}

/// Whether the bug of this name was chosen on this thread.
#[cfg(not(feature = "on"))]
#[inline]
pub const fn is_chosen(_name: &'static str) -> bool {
    false
}

#[cfg(feature = "on")]
mod chosen {
    use std::cell::Cell;

    thread_local! {
        static CHOSEN: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Whether the bug of this name was chosen on this thread.
    pub fn is_chosen(name: &'static str) -> bool {
        CHOSEN.with(|chosen| chosen.get() == Some(name))
    }

    /// Runs `work` with one bug planted on this thread.
    pub fn with<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
        struct Reset(Option<&'static str>);
        impl Drop for Reset {
            fn drop(&mut self) {
                CHOSEN.with(|chosen| chosen.set(self.0));
            }
        }
        let _reset = Reset(CHOSEN.with(|chosen| chosen.replace(Some(name))));
        work()
    }
}

#[cfg(feature = "on")]
pub use chosen::{is_chosen, with};

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(not(feature = "on"))]
    fn nothing_is_planted_in_what_is_delivered() {
        const { assert!(!crate::ENABLED && !planted!("anything")) }
    }

    #[test]
    #[cfg(feature = "on")]
    fn a_bug_is_there_while_it_is_chosen_and_no_longer() {
        assert!(!planted!("one"));
        crate::with("one", || assert!(planted!("one") && !planted!("two")));
        assert!(!planted!("one"));
    }
}
