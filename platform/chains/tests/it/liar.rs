//! A proxy before a node that understands JSON-RPC and lies on command.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// What the proxy does with an answer: it may change it.
type Lie = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// How the proxy treats the next requests.
#[derive(Clone)]
pub enum Mode {
    Honest,
    Lie(Lie),
    /// Answers with this status and body instead of asking the node.
    Instead(u16, Vec<u8>),
    /// Asks the node and drops the answer.
    DropReply,
    /// Does not know this method.
    Without(&'static str),
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    mode: Mutex<Mode>,
    asked: Mutex<Vec<String>>,
}

/// The running proxy.
pub struct Liar {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Liar {
    pub async fn before(upstream: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            client,
            mode: Mutex::new(Mode::Honest),
            asked: Mutex::default(),
        });
        let router = Router::new().route("/", post(answer)).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            server,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    pub fn lie(&self, lie: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        self.set(Mode::Lie(Arc::new(lie)));
    }

    pub fn no_method(&self, method: &'static str) {
        self.set(Mode::Without(method));
    }

    /// How often a method was asked for.
    pub fn asked(&self, method: &str) -> usize {
        self.shared
            .asked
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| *asked == method)
            .count()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let method = request["method"].as_str().unwrap().to_owned();
    shared.asked.lock().unwrap().push(method.clone());
    let mode = shared.mode.lock().unwrap().clone();
    if let Mode::Instead(status, body) = mode {
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    if matches!(mode, Mode::Without(missing) if missing == method) {
        let error = json!({ "code": -32_601, "message": "Method not found" });
        return axum::Json(json!({ "jsonrpc": "2.0", "id": 1, "error": error })).into_response();
    }
    let answer = shared
        .client
        .post(&shared.upstream)
        .json(&request)
        .send()
        .await
        .unwrap();
    let mut answer: Value = answer.json().await.unwrap();
    match mode {
        Mode::Lie(lie) => lie(&method, &mut answer["result"]),
        Mode::DropReply => return StatusCode::BAD_GATEWAY.into_response(),
        Mode::Honest | Mode::Instead(..) | Mode::Without(_) => {}
    }
    axum::Json(answer).into_response()
}
