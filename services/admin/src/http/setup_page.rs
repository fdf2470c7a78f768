//! The page behind a set-up link. Its token stands behind the `#`, so it never reaches a server but in the bodies that
//! the page's own script sends.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ferrex_web::OpenApiRouter;

use crate::Admin;

/// No inline script or style, nothing from elsewhere, no frame around it; the QR code is a `data:` image.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> OpenApiRouter<Admin> {
    OpenApiRouter::new()
        .route(
            "/setup",
            get(async || file("text/html; charset=utf-8", include_str!("page/setup.html"))),
        )
        .route(
            "/setup/page.js",
            get(async || file("text/javascript; charset=utf-8", include_str!("page/setup.js"))),
        )
        .route(
            "/setup/page.css",
            get(async || file("text/css; charset=utf-8", include_str!("page/setup.css"))),
        )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (headers, text).into_response()
}
