//! The page that shows the document and tries it out; its scripts are inside the binary, so it works offline.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::Problem;

/// The page styles itself inline; nothing on it comes from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json` and `/explorer/`.
pub(crate) fn routes(document: &OpenApi) -> Router {
    let json = Bytes::from(
        document
            .to_json()
            .expect("the document holds only texts, numbers and lists of them"),
    );
    let config = Arc::new(
        Config::from("/openapi.json")
            // No bar with an address to type: there is one document.
            .use_base_layout()
            .try_it_out_enabled(true)
            .persist_authorization(false)
            .validator_url("none"),
    );
    let page = move |path: &str| file(path, config.clone());
    let index = page.clone();
    Router::new()
        .route(
            "/openapi.json",
            get(async move || {
                (
                    [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                    json,
                )
            }),
        )
        .route("/explorer", get(async || Redirect::permanent("/explorer/")))
        .route("/explorer/", get(async move || index("")))
        .route(
            "/explorer/{*path}",
            get(async move |Path(path): Path<String>| page(&path)),
        )
}

fn file(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => {
            let mut response = file.bytes.into_owned().into_response();
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            response
        }
        Ok(None) | Err(_) => Problem::new(
            StatusCode::NOT_FOUND,
            "web.route.unknown",
            "there is no such page",
        )
        .into_response(),
    }
}
