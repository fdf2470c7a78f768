//! The kill points of flows; nothing in a release build.

use ferrex_runtime::kill;

use crate::Flow;

/// Says which states a flow has, so that a test sees which of them it never came to.
pub(crate) fn announce_states<F: Flow>() {
    if cfg!(debug_assertions) {
        for label in F::LABELS {
            kill::announce("flow.before_persist", &format!("{}.{label}", F::KIND));
        }
    }
}

/// Composes the detail only where kill points exist.
pub(crate) fn kill_point<F: Flow>(name: &'static str, label: &str) {
    if cfg!(debug_assertions) {
        kill::point_with(name, &format!("{}.{label}", F::KIND));
    }
}
