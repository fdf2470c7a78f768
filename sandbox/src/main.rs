//! The binary `ferrex-sandbox`: outside companies for development.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use ferrex_sandbox::identity::IdentityProvider;
use ferrex_sandbox::{SenderConfig, WebhookSender};
use ferrex_time::SystemClock;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

/// Outside companies for development and tests.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    company: Company,
}

#[derive(Subcommand)]
enum Company {
    /// An identity provider that sends its decisions as signed webhooks.
    Identity {
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// Where its webhooks go.
        #[arg(long, default_value = "http://127.0.0.1:8080/webhooks/identity")]
        webhook_url: String,
        /// The file with the secret that signs them, whsec_…
        #[arg(long)]
        secret_file: PathBuf,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match Arguments::parse().company {
        Company::Identity {
            listen,
            webhook_url,
            secret_file,
        } => {
            let secret = std::fs::read_to_string(&secret_file)
                .with_context(|| format!("reading {}", secret_file.display()))?;
            let config = SenderConfig::new(webhook_url, SecretString::from(secret.trim_end()));
            let sender = WebhookSender::try_new(config, SystemClock::shared())?;
            let provider = IdentityProvider::new(sender.clone(), SystemClock::shared());
            let listener = tokio::net::TcpListener::bind(listen)
                .await
                .with_context(|| format!("listening on {listen}"))?;
            tracing::info!(address = %listener.local_addr()?, "identity provider");
            let mut terminate = signal(SignalKind::terminate())?;
            let stop = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            };
            axum::serve(listener, provider.router())
                .with_graceful_shutdown(stop)
                .await?;
            sender.stop().await;
            Ok(())
        }
    }
}
