//! `payment.requests.v1`: what staff ask of the registry.

use ferrex_bus::Router;
use ferrex_contracts::payment::{CreateAsset, ListAssets, PutNetwork, UpdateAsset};

use crate::Payment;
use crate::registry::requests;

/// Adds the handlers.
pub(super) fn register(router: Router, payment: &Payment) -> Router {
    let context = &payment.context;
    let (put, create, update, list) = (context.clone(), context.clone(), context.clone(), context.clone());
    router
        .on_request::<PutNetwork, _, _>(move |_, request| {
            let context = put.clone();
            async move { requests::put_network(&context, request).await }
        })
        .on_request::<CreateAsset, _, _>(move |_, request| {
            let context = create.clone();
            async move { requests::create_asset(&context, request).await }
        })
        .on_request::<UpdateAsset, _, _>(move |_, request| {
            let context = update.clone();
            async move { requests::update_asset(&context, request).await }
        })
        .on_request::<ListAssets, _, _>(move |_, request| {
            let context = list.clone();
            async move { requests::list(&context, request).await }
        })
}
