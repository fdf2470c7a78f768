//! Payment tells which withdrawals wait for staff, and which no longer do.

use ferrex_bus::Router;
use ferrex_contracts::payment::{WithdrawalApprovalClosed, WithdrawalAwaitsApproval};

use crate::approvals;

pub(super) fn register(router: Router) -> Router {
    router
        .on_event::<WithdrawalAwaitsApproval, _>(|_, event, tx| {
            Box::pin(async move { approvals::open(tx, &event).await })
        })
        .on_event::<WithdrawalApprovalClosed, _>(|delivery, event, tx| {
            let at = delivery.at;
            Box::pin(async move { approvals::close(tx, &event, at).await })
        })
}
