//! `payment.requests.v1`: what staff ask and decide about withdrawals.

use ferrex_bus::Router;
use ferrex_contracts::payment::{DecideWithdrawal, GetWithdrawal};

use crate::Payment;
use crate::withdrawal::decide;

/// Adds the handlers.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let (deciding, getting) = (payment.clone(), payment.clone());
    router
        .on_request::<DecideWithdrawal, _, _>(move |_, request| {
            let payment = deciding.clone();
            async move { decide::decide(&payment, request).await }
        })
        .on_request::<GetWithdrawal, _, _>(move |_, request| {
            let payment = getting.clone();
            async move { decide::get(&payment, request).await }
        })
}
