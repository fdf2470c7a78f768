//! One public address before several processes, as an ingress gives on Kubernetes: each path goes to the process whose
//! OpenAPI document lists it.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The largest body that is passed on; the processes behind have their own limits.
const BODY_MAX: usize = 4 << 20;

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Ingress {
    client: reqwest::Client,
    /// First segments of paths with the base address of who answers them; the longest match wins.
    routes: Arc<Vec<(String, String)>>,
    /// Who answers what no document lists, such as pages for browsers.
    rest: Option<String>,
}

impl Ingress {
    /// Learns from each process which paths it answers; what nobody lists goes to the first.
    pub async fn learn(bases: &[String]) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let mut routes = Vec::new();
        for base in bases {
            let document: serde_json::Value = client
                .get(format!("{base}/openapi.json"))
                .send()
                .await
                .and_then(reqwest::Response::error_for_status)
                .with_context(|| format!("reading the document of {base}"))?
                .json()
                .await?;
            let paths = document["paths"].as_object().context("a document has paths")?;
            for path in paths.keys() {
                let fixed = path.split("/{").next().unwrap_or(path);
                routes.push((fixed.to_owned(), base.clone()));
            }
        }
        routes.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Ok(Self {
            client,
            routes: Arc::new(routes),
            rest: bases.first().cloned(),
        })
    }

    /// The ingress as a router.
    pub fn router(self) -> Router {
        Router::new().fallback(pass_on).with_state(self)
    }

    fn base(&self, path: &str) -> Option<&str> {
        let matches = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.routes.iter().find(|(prefix, _)| matches(prefix));
        found.map_or(self.rest.as_deref(), |(_, base)| Some(base))
    }
}

async fn pass_on(State(ingress): State<Ingress>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(base) = ingress.base(parts.uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(body) = to_bytes(body, BODY_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let asked = ingress
        .client
        .request(parts.method, format!("{base}{path}"))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = asked else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::TRANSFER_ENCODING);
    match answer.bytes().await {
        Ok(bytes) => (status, headers, Body::from(bytes)).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
