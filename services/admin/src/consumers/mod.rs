//! What this service hears.

mod audit_checkpoint;
mod withdrawal_approvals;

use ferrex_bus::Router;

use crate::Admin;

/// Every handler.
pub(crate) fn router(admin: &Admin) -> Router {
    let router = withdrawal_approvals::register(Router::new("admin"));
    audit_checkpoint::register(router, admin)
}
