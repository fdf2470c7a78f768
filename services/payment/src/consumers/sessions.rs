//! `core.session.v1`: sessions that ended. Only one replica of a group hears of each, so the others read the table
//! ([`crate::jobs::revocations`]).

use ferrex_bus::Router;
use ferrex_contracts::core::SessionRevoked;

use crate::Payment;
use crate::customer::store;

/// Adds the handler.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let payment = payment.clone();
    router.on_unordered_event::<SessionRevoked, _>(move |_, event, tx| {
        let payment = payment.clone();
        Box::pin(async move {
            payment.verifier.revoke(event.session);
            let now = payment.context.clock.now();
            Ok(store::revoke_session(tx, event.session, event.tokens_expire_at, now).await?)
        })
    })
}
