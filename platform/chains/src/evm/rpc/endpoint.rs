use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::RpcError;

/// One node. Its address may carry a key, so only its host is ever shown.
#[derive(Clone)]
pub(super) struct Endpoint {
    url: Url,
    pub(super) name: String,
    client: Client,
    within: Duration,
    body_limit: usize,
}

#[derive(Deserialize)]
struct Answer<T> {
    // A missing `result` and one that is null are the same: the node has nothing.
    #[serde(default = "Option::default")]
    result: Option<T>,
    #[serde(default)]
    error: Option<NodeError>,
}

#[derive(Deserialize)]
struct NodeError {
    code: i64,
    #[serde(default)]
    message: String,
}

const MESSAGE_LIMIT: usize = 300;

impl Endpoint {
    pub(super) fn new(url: Url, client: Client, within: Duration, body_limit: usize) -> Self {
        let name = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => "the node".to_owned(),
        };
        Self {
            url,
            name,
            client,
            within,
            body_limit,
        }
    }

    /// Asks; `None` is the node's `null`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<Option<T>, RpcError> {
        let exchange = self.exchange(method, params);
        let body = match tokio::time::timeout(self.within, exchange).await {
            Ok(body) => body?,
            Err(_) => {
                return Err(RpcError::TimedOut {
                    node: self.name.clone(),
                    method,
                    within: self.within,
                });
            }
        };
        let answer: Answer<T> =
            serde_json::from_slice(&body).map_err(|error| self.malformed(method, &error))?;
        match answer.error {
            None => Ok(answer.result),
            Some(error) if is_rate_limit(&error) => Err(RpcError::RateLimited {
                node: self.name.clone(),
                method,
            }),
            Some(error) => Err(RpcError::Node {
                node: self.name.clone(),
                method,
                code: error.code,
                message: error.message.chars().take(MESSAGE_LIMIT).collect(),
            }),
        }
    }

    pub(super) fn malformed(&self, method: &'static str, reason: &dyn std::fmt::Display) -> RpcError {
        let reason = reason.to_string().chars().take(MESSAGE_LIMIT).collect();
        RpcError::Malformed {
            node: self.name.clone(),
            method,
            reason,
        }
    }

    pub(super) fn missing(&self, what: String) -> RpcError {
        RpcError::Missing {
            node: self.name.clone(),
            what,
        }
    }

    async fn exchange(&self, method: &'static str, params: &Value) -> Result<Vec<u8>, RpcError> {
        let transport = |source: reqwest::Error| RpcError::Transport {
            node: self.name.clone(),
            method,
            source: source.without_url(),
        };
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut response = self
            .client
            .post(self.url.clone())
            .json(&request)
            .send()
            .await
            .map_err(transport)?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(RpcError::RateLimited {
                node: self.name.clone(),
                method,
            });
        }
        // Some nodes send errors of JSON-RPC with status 400 or 500: read those bodies too.
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(RpcError::TooLarge {
                    node: self.name.clone(),
                    method,
                    limit: self.body_limit,
                });
            }
            body.extend_from_slice(&chunk);
        }
        let holds_error =
            || serde_json::from_slice::<Answer<Value>>(&body).is_ok_and(|answer| answer.error.is_some());
        if status != StatusCode::OK && !holds_error() {
            return Err(RpcError::Status {
                node: self.name.clone(),
                method,
                status: status.as_u16(),
            });
        }
        Ok(body)
    }
}

fn is_rate_limit(error: &NodeError) -> bool {
    let message = error.message.to_ascii_lowercase();
    matches!(error.code, 429 | -32_005 | -32_007 | -32_029)
        || [
            "rate limit",
            "too many requests",
            "compute units",
            "request limit",
        ]
        .iter()
        .any(|words| message.contains(words))
}
