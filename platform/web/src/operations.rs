use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ferrex_runtime::Readiness;
use serde::Serialize;

use crate::{Json, Problem};

/// What `/readyz` prints.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    missing: Vec<MissingPart>,
}

#[derive(Debug, Serialize)]
struct MissingPart {
    part: String,
    reason: String,
}

/// The operations port: `/livez` (the process answers), `/readyz` (503 with what is missing), `/metrics`.
///
/// `metrics` prints the text for Prometheus. This router is for its own listener and never part of another.
pub fn operations_router<M>(readiness: Readiness, metrics: M) -> Router
where
    M: Fn() -> String + Clone + Send + Sync + 'static,
{
    let print = async move || {
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], metrics())
    };
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(print))
        .with_state(readiness)
        .fallback(async || Problem::not_found("web.route.unknown", "there is no such path"))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let missing: Vec<_> = readiness
        .missing()
        .into_iter()
        .map(|missing| MissingPart {
            part: missing.part,
            reason: missing.reason,
        })
        .collect();
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Ready {
            ready: missing.is_empty(),
            missing,
        }),
    )
        .into_response()
}
