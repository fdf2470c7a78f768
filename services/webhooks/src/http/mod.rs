//! The public endpoint.

mod receive_webhook;

use ferrex_web::{OpenApiRouter, routes};

use crate::Service;

/// The routes of this service on the public listener.
pub fn routes(service: &Service) -> OpenApiRouter {
    let body_bytes_max = service.body_bytes_max();
    OpenApiRouter::default()
        .routes(routes!(receive_webhook::receive_webhook))
        .layer(axum::extract::DefaultBodyLimit::max(body_bytes_max))
        .with_state(service.clone())
}

/// The routes as they stand in the document, without a service behind them.
pub fn specification() -> OpenApiRouter {
    let (_, api) = OpenApiRouter::<Service>::default()
        .routes(routes!(receive_webhook::receive_webhook))
        .split_for_parts();
    OpenApiRouter::with_openapi(api)
}
