//! `engine.market.v1`: what happened in markets; and `payment.requests.v1`: what staff ask of them.

use ferrex_bus::Router;
use ferrex_contracts::engine::MarketChanged;
use ferrex_contracts::payment::{CreateMarket, ListMarkets, SetMarketState};

use crate::market::requests;
use crate::{Payment, order};

/// Adds the handlers. Events of a market are applied in the journal's order, those that wait together in one
/// transaction; each market knows how far it was told of.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let context = &payment.context;
    let (create, set, list) = (context.clone(), context.clone(), context.clone());
    router
        .on_event_batch::<MarketChanged, _>(|_, events, tx| {
            Box::pin(async move { order::follow::apply(tx, &events).await })
        })
        .without_inbox::<MarketChanged>()
        .on_request::<CreateMarket, _, _>(move |_, request| {
            let context = create.clone();
            async move { requests::create(&context, request).await }
        })
        .on_request::<SetMarketState, _, _>(move |_, request| {
            let context = set.clone();
            async move { requests::set_state(&context, request).await }
        })
        .on_request::<ListMarkets, _, _>(move |_, request| {
            let context = list.clone();
            async move { requests::list(&context, request).await }
        })
}
