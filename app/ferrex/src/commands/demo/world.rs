//! What is around the system: the chain that people pay from, the mailbox they read, the identity provider.

use std::fmt::Display;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{Api, text_of};

/// How long the system may take for a step that waits for blocks.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(150);

/// What `ferrex-dev` wrote.
#[derive(Clone, Debug, Deserialize)]
pub struct Surroundings {
    pub public: String,
    pub admin: String,
    pub mail: String,
    pub chain_rpc: String,
    pub payer: String,
    pub token: String,
    pub identity: String,
    pub config: PathBuf,
    pub setup_link: Option<String>,
    pub staff_file: PathBuf,
    /// Where whoever runs the system kills the engine's owner on request, if they do.
    #[serde(default)]
    pub control: Option<String>,
}

/// The surroundings with clients to them.
pub struct World {
    /// Addresses and files.
    pub around: Surroundings,
    http: reqwest::Client,
    began: Instant,
}

impl World {
    pub fn new(around: Surroundings) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            around,
            http,
            began: Instant::now(),
        })
    }

    /// Prints a heading.
    pub fn chapter(title: &str) {
        println!("\n{title}");
    }

    /// Prints what was seen.
    pub fn saw(&self, what: impl Display) {
        println!("  {:6.1} s  {what}", self.began.elapsed().as_secs_f32());
    }

    /// Calls the chain's JSON-RPC.
    pub async fn rpc(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = self
            .http
            .post(&self.around.chain_rpc)
            .json(&body)
            .send()
            .await?
            .json()
            .await?;
        answer
            .get("result")
            .cloned()
            .with_context(|| format!("{method}: {}", answer["error"]))
    }

    /// Pays native coin from the unlocked account; returns the transaction's hash.
    pub async fn pay(&self, to: &str, wei: u128) -> anyhow::Result<String> {
        let transaction = json!([{ "from": self.around.payer, "to": to, "value": format!("{wei:#x}") }]);
        let hash = self.rpc("eth_sendTransaction", transaction).await?;
        hash.as_str().map(str::to_owned).context("a hash is a text")
    }

    /// Pays the test token from the unlocked account; returns the transaction's hash.
    pub async fn pay_token(&self, to: &str, units: u128) -> anyhow::Result<String> {
        // transfer(address,uint256)
        let data = format!(
            "0xa9059cbb{:0>64}{units:064x}",
            to.trim_start_matches("0x").to_lowercase()
        );
        let transaction = json!([{ "from": self.around.payer, "to": self.around.token, "data": data }]);
        let hash = self.rpc("eth_sendTransaction", transaction).await?;
        hash.as_str().map(str::to_owned).context("a hash is a text")
    }

    /// Native coin of an address, in wei.
    pub async fn coins_of(&self, address: &str) -> anyhow::Result<u128> {
        let balance = self.rpc("eth_getBalance", json!([address, "latest"])).await?;
        let digits = balance
            .as_str()
            .and_then(|text| text.strip_prefix("0x"))
            .context("a balance is hex")?;
        Ok(u128::from_str_radix(digits, 16)?)
    }

    /// The newest mail to an address whose subject contains `words`; waits for it.
    pub async fn mail(&self, to: &str, words: &str) -> anyhow::Result<Value> {
        let url = format!("{}/api/messages?to={to}", self.around.mail);
        self.wait_for(&format!("a mail to {to} with \"{words}\""), async || {
            let answer: Value = self.http.get(&url).send().await?.json().await?;
            let items = answer["items"].as_array().cloned().unwrap_or_default();
            let fits = |mail: &Value| {
                mail["subject"]
                    .as_str()
                    .is_some_and(|subject| subject.contains(words))
            };
            Ok(items.into_iter().rev().find(fits))
        })
        .await
    }

    /// The code of eight digits in a mail.
    pub fn code_in(mail: &Value) -> anyhow::Result<String> {
        let text = text_of(mail, "text")?;
        let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
        let code = words.find(|word| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit()));
        code.map(str::to_owned)
            .with_context(|| format!("no code in the mail: {text}"))
    }

    /// Asks whoever runs the system to kill the engine's owner; returns when another decides, with what was seen. None when
    /// nobody does that here.
    pub async fn kill_engine(&self) -> anyhow::Result<Option<Value>> {
        let Some(control) = &self.around.control else {
            return Ok(None);
        };
        let api = Api::new(control)?;
        api.post("/engine/kill", &Value::Null).await.map(Some)
    }

    /// A client of the identity provider.
    pub fn identity(&self) -> anyhow::Result<Api> {
        Api::new(&self.around.identity)
    }

    /// Looks until `look` finds something.
    pub async fn wait_for<T, Fut>(&self, what: &str, look: impl Fn() -> Fut) -> anyhow::Result<T>
    where
        Fut: Future<Output = anyhow::Result<Option<T>>>,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("waited {PATIENCE:?} in vain for {what}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Codes of an authenticator. A code is good once, so each is of a later step than the one before.
pub struct Authenticator {
    totp: totp_rs::Totp,
    last: u64,
}

/// Seconds of a step.
const STEP: u64 = 30;

impl Authenticator {
    /// From the secret that the enrolment shows.
    pub fn new(secret: &str) -> anyhow::Result<Self> {
        let secret = totp_rs::Secret::try_from_base32(secret)
            .map_err(|error| anyhow::anyhow!("reading the authenticator's secret: {error}"))?;
        let totp = totp_rs::Builder::new()
            .with_secret(secret)
            .with_account_name("demo".to_owned())
            .build()
            .map_err(|error| anyhow::anyhow!("making an authenticator: {error}"))?;
        Ok(Self { totp, last: 0 })
    }

    /// Codes up to this step were used before.
    pub fn used(&mut self, step: u64) {
        self.last = self.last.max(step);
    }

    /// The step of the last code.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// A code that was not used yet; one step of lead is allowed, then it waits for the next.
    pub async fn code(&mut self, unix_seconds: impl Fn() -> u64) -> String {
        loop {
            let now = unix_seconds() / STEP;
            let next = (self.last + 1).max(now.saturating_sub(1));
            if next <= now + 1 {
                self.last = next;
                return self.totp.generate(next * STEP).to_string();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
