//! `payment.requests.v1`: what staff ask of fees.

use ferrex_bus::Router;
use ferrex_contracts::payment::{GetFeeSchedule, SetFeeSchedule, SetMarketFees};

use crate::Payment;
use crate::{fee, market};

/// Adds the handlers.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let context = &payment.context;
    let (market, set, get) = (context.clone(), context.clone(), context.clone());
    router
        .on_request::<SetMarketFees, _, _>(move |_, request| {
            let context = market.clone();
            async move { market::requests::set_fees(&context, request).await }
        })
        .on_request::<SetFeeSchedule, _, _>(move |_, request| {
            let context = set.clone();
            async move { fee::requests::set(&context, request).await }
        })
        .on_request::<GetFeeSchedule, _, _>(move |_, request| {
            let context = get.clone();
            async move { fee::requests::get(&context, request).await }
        })
}
