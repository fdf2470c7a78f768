//! A client that asks again, under the same idempotency key, as long as it has no answer.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ferrex_time::Clock as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

/// How long the system may be away or busy before a client gives up.
pub const PATIENCE: Duration = Duration::from_mins(5);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(150);
/// Seconds of a step of an authenticator.
const STEP: u64 = 30;

/// One listener, with a token once logged in.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    /// The bearer token.
    pub token: Option<String>,
}

impl Api {
    /// A client without a token.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self {
            http,
            base: base.to_owned(),
            token: None,
        })
    }

    /// Asks once; an error is no answer.
    pub async fn once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Asks until there is an answer that says something about the request rather than about the server.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> anyhow::Result<Value> {
        wait_for(&format!("an answer to {method} {path}"), async || {
            match self.once(method.clone(), path, body, key).await {
                Ok((status, body)) if status.is_success() => Ok(Seen::Yes(body)),
                Ok((status, body)) if status.is_server_error() || status == 429 => {
                    Ok(Seen::NotYet(format!("{status}: {body}")))
                }
                Ok((status, body)) => bail!("{method} {path} answered {status}: {body}"),
                Err(error) => Ok(Seen::NotYet(format!("{error:#}"))),
            }
        })
        .await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None, None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), None).await
    }

    /// POST under an idempotency key.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body), Some(key)).await
    }
}

/// What a look found.
pub enum Seen<T> {
    /// It is there.
    Yes(T),
    /// Not yet, and what is there instead.
    NotYet(String),
}

/// Looks until it is there; says what was seen last when it never comes.
pub async fn wait_for<T, Fut>(what: &str, look: impl Fn() -> Fut) -> anyhow::Result<T>
where
    Fut: Future<Output = anyhow::Result<Seen<T>>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match look().await? {
            Seen::Yes(found) => return Ok(found),
            Seen::NotYet(last) => last,
        };
        if Instant::now() > deadline {
            bail!("waited {PATIENCE:?} in vain for {what}; last: {last}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A member that must be a text.
pub fn text_of(value: &Value, name: impl Display) -> anyhow::Result<String> {
    let name = name.to_string();
    value[&name]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("`{name}` is no text in {value}"))
}

/// Codes of an authenticator; each is good once.
pub struct Authenticator {
    totp: totp_rs::Totp,
    last: u64,
}

impl Authenticator {
    /// From the secret that the enrolment shows.
    pub fn new(secret: &str) -> anyhow::Result<Self> {
        let secret = totp_rs::Secret::try_from_base32(secret).map_err(|error| anyhow::anyhow!("{error}"))?;
        let totp = totp_rs::Builder::new()
            .with_secret(secret)
            .with_account_name("e2e".to_owned())
            .build();
        Ok(Self {
            totp: totp.map_err(|error| anyhow::anyhow!("{error}"))?,
            last: 0,
        })
    }

    /// A code that was not used and is good for half a minute at least; waits when all that are allowed now are used.
    pub async fn code(&mut self) -> String {
        loop {
            let now = ferrex_time::SystemClock.unix_ms() / 1_000 / STEP;
            let next = (self.last + 1).max(now);
            if next <= now + 1 {
                self.last = next;
                return self.totp.generate(next * STEP).to_string();
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
