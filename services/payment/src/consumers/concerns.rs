//! `payment.requests.v1`: what staff see and do about money that waits for them.

use ferrex_bus::Router;
use ferrex_contracts::payment::{CloseDeposit, GiveUpWithdrawal, ListConcerns, ResumeWallet};

use crate::Payment;
use crate::concern::flow;
use crate::withdrawal::decide;

/// Adds the handlers.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let context = &payment.context;
    let (listing, closing, resuming) = (context.clone(), context.clone(), context.clone());
    let giving_up = payment.clone();
    router
        .on_request::<ListConcerns, _, _>(move |_, request| {
            let context = listing.clone();
            async move { flow::list(&context, request).await }
        })
        .on_request::<CloseDeposit, _, _>(move |_, request| {
            let context = closing.clone();
            async move { flow::close_deposit(&context, request).await }
        })
        .on_request::<ResumeWallet, _, _>(move |_, request| {
            let context = resuming.clone();
            async move { flow::resume_wallet(&context, request).await }
        })
        .on_request::<GiveUpWithdrawal, _, _>(move |_, request| {
            let payment = giving_up.clone();
            async move { decide::give_up(&payment, request).await }
        })
}
