//! A JSON client of one listener that says what it expected when something else came.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// One listener, with a token once logged in.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    /// The bearer token.
    pub token: Option<String>,
}

/// Status and body of an answer.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; null when there is none.
    pub body: Value,
}

impl Api {
    /// A client without a token.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token: None,
        })
    }

    /// Calls and returns whatever came.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{method} {}{path}", self.base))?;
        let status = answer.status();
        let text = answer.text().await?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Ok(Answer { status, body })
    }

    /// GET that must succeed.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, None)
            .await?
            .expect(path, &[200])
    }

    /// POST that must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), None)
            .await?
            .expect(path, &[200, 201, 202, 204])
    }

    /// POST under an idempotency key that must succeed.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), Some(key))
            .await?
            .expect(path, &[200, 201, 202])
    }

    /// PUT that must succeed.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::PUT, path, Some(body), None)
            .await?
            .expect(path, &[200, 201, 204])
    }

    /// DELETE that must succeed.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::DELETE, path, None, None)
            .await?
            .expect(path, &[200, 204])
    }

    /// POST that must be refused; returns the problem's code and text.
    pub async fn refused(
        &self,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<(String, String)> {
        let answer = self.call(Method::POST, path, Some(body), key).await?;
        if !answer.status.is_client_error() {
            bail!(
                "POST {path} should have been refused, but was answered {}: {}",
                answer.status,
                answer.body
            );
        }
        let first_field = &answer.body["errors"][0]["message"];
        let text = first_field
            .as_str()
            .or(answer.body["detail"].as_str())
            .unwrap_or_default();
        Ok((text_of(&answer.body, "code")?, text.to_owned()))
    }
}

impl Answer {
    fn expect(self, path: &str, allowed: &[u16]) -> anyhow::Result<Value> {
        if allowed.contains(&self.status.as_u16()) {
            Ok(self.body)
        } else {
            bail!("{path} answered {}: {}", self.status, self.body)
        }
    }
}

/// A member that must be a text.
pub fn text_of(value: &Value, name: &str) -> anyhow::Result<String> {
    value[name]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("`{name}` is no text in {value}"))
}
