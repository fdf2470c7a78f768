//! A node that lies: it hands questions to a real one and changes answers on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use ferrex_testkit::Anvil;
use serde_json::{Value, json};

/// What the node leaves out.
#[derive(Default)]
pub struct Lies {
    /// Receipts of a block are an empty list.
    pub no_receipts: AtomicBool,
    /// By how many blocks it is behind.
    pub behind: AtomicU64,
    /// It sends transactions on, and answers with an error of the gateway.
    pub lose_broadcast_answers: AtomicBool,
    /// It refuses transactions whose bytes hold this text, for a reason of its own.
    pub refuse: std::sync::Mutex<Option<String>>,
    /// Broadcasts it has sent on.
    pub broadcasts: AtomicU64,
}

#[derive(Clone)]
struct Node {
    anvil: Arc<Anvil>,
    lies: Arc<Lies>,
}

/// Starts a lying node before `anvil`; answers its address and the switch of its lies.
pub async fn start(anvil: Arc<Anvil>) -> (String, Arc<Lies>) {
    let lies = Arc::new(Lies::default());
    let node = Node {
        anvil,
        lies: lies.clone(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(node);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, lies)
}

async fn answer(
    State(node): State<Node>,
    Json(question): Json<Value>,
) -> Result<Json<Value>, axum::http::StatusCode> {
    let method = question["method"].as_str().unwrap().to_owned();
    let params = question["params"].clone();
    let reply = |result: Value| {
        Ok(Json(
            json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }),
        ))
    };
    let head = node
        .anvil
        .height()
        .await
        .saturating_sub(node.lies.behind.load(Ordering::SeqCst));
    let height = params[0]
        .as_str()
        .and_then(|text| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok());
    match method.as_str() {
        "eth_blockNumber" => return reply(json!(format!("{head:#x}"))),
        "eth_getBlockByNumber" | "eth_getBlockReceipts" if height.is_some_and(|height| height > head) => {
            return reply(Value::Null);
        }
        "eth_getBlockReceipts" if node.lies.no_receipts.load(Ordering::SeqCst) => return reply(json!([])),
        _ => {}
    }
    let refused = node.lies.refuse.lock().unwrap().clone();
    if method == "eth_sendRawTransaction"
        && refused.is_some_and(|text| params[0].as_str().is_some_and(|raw| raw.contains(&text)))
    {
        return Ok(Json(json!({
            "jsonrpc": "2.0", "id": question["id"], "error": { "code": -32_000, "message": "the moon is full" }
        })));
    }
    let result = node.anvil.try_rpc(&method, params).await;
    if method == "eth_sendRawTransaction" {
        node.lies.broadcasts.fetch_add(1, Ordering::SeqCst);
        if node.lies.lose_broadcast_answers.load(Ordering::SeqCst) {
            return Err(axum::http::StatusCode::GATEWAY_TIMEOUT);
        }
    }
    match result {
        Ok(result) => reply(result),
        Err(error) => Ok(Json(json!({
            "jsonrpc": "2.0", "id": question["id"], "error": { "code": -32_000, "message": error.to_string() }
        }))),
    }
}
