//! `engine.audit.v1`: what audits of the ledger found.

use ferrex_bus::Router;
use ferrex_contracts::engine::LedgerAudited;

use crate::concern::store;

/// Adds the handler.
pub(super) fn register(router: Router) -> Router {
    router.on_event::<LedgerAudited, _>(|_, audit, tx| {
        Box::pin(async move {
            if store::take_audit(tx, &audit).await? && audit.findings > 0 {
                tracing::error!(
                    findings = audit.findings,
                    assets = ?audit.assets,
                    all = audit.concerns_all,
                    "an audit found the books to differ; withdrawals of these assets rest"
                );
            }
            Ok(())
        })
    })
}
