//! Sends webhooks as Standard Webhooks asks: the same id at every attempt, a fresh timestamp and signature, growing
//! pauses.

use std::sync::Arc;
use std::time::Duration;

use ferrex_time::SharedClock;
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::Webhook;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Where webhooks go and how they are signed.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// The receiver's address.
    pub url: String,
    /// `whsec_…`.
    pub secret: SecretString,
    /// The first pause after a failed attempt; each doubles the one before.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl SenderConfig {
    /// To `url`, with pauses from half a second to five: whoever tries things out, or kills the receiver again and again, is not to
    /// wait for a minute.
    pub fn new(url: impl Into<String>, secret: SecretString) -> Self {
        Self {
            url: url.into(),
            secret,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Why webhooks cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret is not `whsec_` and base64.
    #[error("the webhook secret is not whsec_ and base64")]
    Secret,
    /// The HTTP client cannot be built.
    #[error("preparing the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// Sends webhooks, each in a task of its own, until the receiver takes it. What is not taken when the process ends is
/// forgotten: this is a sandbox.
#[derive(Clone)]
pub struct WebhookSender {
    shared: Arc<Shared>,
}

struct Shared {
    config: SenderConfig,
    webhook: Webhook,
    client: reqwest::Client,
    clock: SharedClock,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl WebhookSender {
    /// Checks the secret.
    pub fn try_new(config: SenderConfig, clock: SharedClock) -> Result<Self, Error> {
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let webhook = Webhook::new(config.secret.expose_secret()).map_err(|_| Error::Secret)?;
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::Client)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                webhook,
                client,
                clock,
                stop,
                tasks,
            }),
        })
    }

    /// Sends `body` under `id` until it is taken.
    pub fn send(&self, id: String, body: String) {
        let shared = self.shared.clone();
        self.shared
            .tasks
            .spawn(async move { shared.deliver(&id, &body).await });
    }

    /// How many webhooks are not taken yet.
    pub fn waiting(&self) -> usize {
        self.shared.tasks.len()
    }

    /// Gives up what is not taken yet.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Shared {
    async fn deliver(&self, id: &str, body: &str) {
        let mut pause = self.config.first_pause;
        for attempt in 1u32.. {
            match self.attempt(id, body).await {
                Ok(()) => {
                    tracing::info!(id, attempt, "webhook taken");
                    return;
                }
                Err(reason) => tracing::warn!(id, attempt, reason, "webhook not taken, trying again"),
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(self.config.longest_pause);
        }
    }

    async fn attempt(&self, id: &str, body: &str) -> Result<(), String> {
        let seconds = self.clock.now().timestamp();
        let signature = self
            .webhook
            .sign(id, seconds, body.as_bytes())
            .map_err(|error| error.to_string())?;
        let request = self
            .client
            .post(&self.config.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body.to_owned());
        let answer = request
            .send()
            .await
            .map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("status {}", answer.status()))
        }
    }
}
