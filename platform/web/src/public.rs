use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Router, middleware};
use tower::ServiceBuilder;
use utoipa_axum::router::OpenApiRouter;

use crate::limit::RateLimits;
use crate::middleware::{Around, Meters, observe};
use crate::{Config, ConfigError, Problem, Surface, TokenVerifier, TrustedProxies, document, explorer};

/// The routes of one listener with everything that stands around them: limits on size, time and rate, request ids,
/// traces, metrics, panics, security headers, refusals of unknown paths and methods, document and explorer.
///
/// `tokens` verifies access tokens for [`crate::Caller`]; a listener without such routes needs none.
pub fn public_router(
    surface: &Surface,
    config: &Config,
    tokens: Option<TokenVerifier>,
    parts: Vec<OpenApiRouter>,
) -> Result<Router, ConfigError> {
    let around = Arc::new(Around {
        listener: surface.name,
        proxies: TrustedProxies::parse(&config.trusted_proxies)?,
        limits: RateLimits::try_new(config)?,
        timeout: Duration::from_millis(config.timeout_ms),
        tokens,
        meters: Meters::default(),
    });
    let document = document(surface, &parts);
    let mut router = explorer::routes(&document);
    for part in parts {
        router = router.merge(part);
    }
    // As one layer: each one more would box every route once more.
    let all_around = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(around, observe))
        .layer(DefaultBodyLimit::max(config.body_bytes_max));
    Ok(router
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "web.method.unknown",
                "the path has no such method",
            )
        })
        .fallback(async || Problem::not_found("web.route.unknown", "there is no such path"))
        .layer(all_around))
}
