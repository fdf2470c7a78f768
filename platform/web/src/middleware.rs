//! What stands around every route, from the outside in: request id and trace, security headers, panics, the address
//! behind the call and its rate, time. One layer for all, since each layer costs every call a boxed service and a boxed future.

use std::any::Any;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ferrex_fault::{Fault, Kind};
use futures::FutureExt as _;
use metrics::{Counter, Histogram};
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;
use uuid::fmt::Simple;

use crate::limit::RateLimits;
use crate::{ClientAddress, Problem, TokenVerifier, TrustedProxies};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request that is being answered, inside a handler.
pub fn current_request_id() -> Option<String> {
    REQUEST_ID.try_with(String::clone).ok()
}

/// What the layer of one listener knows.
pub(crate) struct Around {
    /// Name of the listener in metrics: `public` or `admin`.
    pub(crate) listener: &'static str,
    pub(crate) proxies: TrustedProxies,
    pub(crate) limits: RateLimits,
    pub(crate) timeout: Duration,
    /// Verifies access tokens; a listener without routes that need one has none.
    pub(crate) tokens: Option<TokenVerifier>,
    pub(crate) meters: Meters,
}

/// What a call brings with it to its route's extractors. One thing, since each is a box and a place in a table.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) client: ClientAddress,
    pub(crate) around: Arc<Around>,
}

/// Metrics of one route, method and status.
#[derive(Clone)]
struct Meter {
    method: &'static str,
    status: u16,
    requests: Counter,
    duration: Histogram,
}

/// The metrics by route. To ask the recorder for them costs more than to count, so it is asked once.
#[derive(Default)]
pub(crate) struct Meters(RwLock<HashMap<String, Vec<Meter>, foldhash::fast::RandomState>>);

impl Meters {
    fn of(&self, listener: &'static str, method: &'static str, route: &str, status: u16) -> Meter {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(route).and_then(|meters| {
            let mut meters = meters.iter();
            meters.find(|meter| (meter.method, meter.status) == (method, status))
        });
        if let Some(meter) = found {
            return meter.clone();
        }
        drop(known);
        let labels = [
            ("listener", listener.to_owned()),
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        let meter = Meter {
            method,
            status,
            requests: metrics::counter!("http_requests_total", &labels),
            duration: metrics::histogram!("http_request_duration_seconds", &labels[..3]),
        };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(route.to_owned()).or_default().push(meter.clone());
        meter
    }
}

/// Gives the request its id, span and metrics, and the answer its security headers.
pub(crate) async fn observe(State(around): State<Arc<Around>>, mut request: Request, next: Next) -> Response {
    let id = request_id();
    let method = known(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    // Taken out, for nobody else needs it, and a table of four grows.
    let peer = request.extensions_mut().remove::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|info| info.0.ip());
    let client = peer.map_or(ClientAddress::UNKNOWN, |peer| {
        around.proxies.client(peer, request.headers())
    });
    let call = Call {
        client,
        around: Arc::clone(&around),
    };
    request.extensions_mut().insert(call);

    let span = tracing::info_span!("request", method, route, request_id = id);
    if let Some(parent) = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        && peer.is_some_and(|peer| around.proxies.contains(peer))
    {
        ferrex_telemetry::set_parent(&span, parent);
    }

    let started = Instant::now();
    // A request that panicked is dropped with all that it had.
    let answer = AssertUnwindSafe(bound(&around, client, request, next)).catch_unwind();
    let answer = answer.map(|answer| answer.unwrap_or_else(panicked));
    let mut response = REQUEST_ID.scope(id.clone(), answer).instrument(span).await;

    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    let listener = around.listener;
    let meter = around.meters.of(listener, method, &route, status);
    meter.requests.increment(1);
    meter.duration.record(seconds);
    tracing::debug!(
        listener,
        method,
        route,
        status,
        seconds,
        request_id = id,
        "answered"
    );

    protect(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

fn request_id() -> String {
    // Not a secret: the thread's own generator is enough, and asks the system for nothing.
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    let mut text = String::with_capacity(4 + Simple::LENGTH);
    text.push_str("req_");
    text.push_str(id.simple().encode_lower(&mut Uuid::encode_buffer()));
    text
}

/// Headers that keep a browser from doing what nobody meant. A route may have said something stricter or wider first.
fn protect(headers: &mut axum::http::HeaderMap) {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    // With the request's id.
    headers.reserve(HEADERS.len() + 1);
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Refuses a client that calls too often, an address that cannot be read, and a request that takes too long.
async fn bound(around: &Around, client: ClientAddress, request: Request, next: Next) -> Response {
    if let Err(problem) = around.limits.check_address(client) {
        return problem.into_response();
    }
    // PostgreSQL has no text with this character, so no handler gets one.
    if request
        .uri()
        .path_and_query()
        .is_some_and(|text| text.as_str().contains("%00"))
    {
        let detail = "the character U+0000 is not allowed in an address";
        return Problem::new(StatusCode::BAD_REQUEST, "web.address.malformed", detail).into_response();
    }
    let Ok(response) = tokio::time::timeout(around.timeout, next.run(request)).await else {
        let detail = format!("not answered within {} ms", around.timeout.as_millis());
        return Problem::from(Fault::new(Kind::Unavailable, "web.request.timeout", detail)).into_response();
    };
    response
}

/// The answer for a handler that panicked.
#[expect(
    clippy::needless_pass_by_value,
    reason = "whoever catches a panic has it by value"
)]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Problem::from(Fault::new(
        Kind::Internal,
        "web.handler.panicked",
        format!("a handler panicked: {text}"),
    ))
    .into_response()
}

/// The method as a label that a client cannot invent.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
    ];
    KNOWN
        .into_iter()
        .find(|name| method.as_str() == *name)
        .unwrap_or("OTHER")
}
