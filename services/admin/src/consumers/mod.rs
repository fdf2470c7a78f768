//! What this service hears.

mod withdrawal_approvals;

use ferrex_bus::Router;

/// Every handler.
pub(crate) fn router() -> Router {
    withdrawal_approvals::register(Router::new("admin"))
}
