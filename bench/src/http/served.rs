//! The servers of the benchmark, each in a process of its own: this program, started as `ferrex-bench serve <name>`.

use axum::routing::get;
use axum::{Json, Router};
use ferrex_runtime::CancellationToken;
use ferrex_time::SystemClock;
use ferrex_web::{Caller, OpenApiRouter, PublicKey, RateConfig, Surface, TokenVerifier, public_router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// What is read and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Echo {
    pub market: String,
    pub side: String,
    pub price: String,
    pub quantity: String,
    pub note: String,
}

impl Echo {
    pub fn example() -> Self {
        Self {
            market: "ETH-TST".to_owned(),
            side: "buy".to_owned(),
            price: "2000.01".to_owned(),
            quantity: "0.5".to_owned(),
            note: "x".repeat(100),
        }
    }
}

/// Serves on `PORT` for ever.
pub async fn serve(name: &str) -> anyhow::Result<()> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    match name {
        "ours" => {
            // Held, for the metrics are of this recorder.
            let _telemetry = ferrex_telemetry::init(&ferrex_telemetry::Config::default(), "bench")?;
            let router = ours()?;
            println!("ready");
            ferrex_web::serve(listener, router, 10_000, CancellationToken::new()).await;
        }
        "axum" => {
            let bare = get(async || Json(Echo::example())).post(async |Json(echo): Json<Echo>| Json(echo));
            println!("ready");
            axum::serve(listener, Router::new().route("/v1/echo", bare)).await?;
        }
        _ => anyhow::bail!("there is no server {name}"),
    }
    Ok(())
}

/// With everything that stands around a route of a service. The rates are checked and never reached.
fn ours() -> anyhow::Result<Router> {
    let key = PublicKey::from_pem(&std::env::var("TOKEN_KEY")?)?;
    let never = RateConfig {
        per_second: 1_000_000,
        burst: 1_000_000,
    };
    let config = ferrex_web::Config {
        per_address: never,
        per_user: never,
        ..ferrex_web::Config::default()
    };
    let surface = Surface {
        name: "public",
        title: "Bench",
        description: "Reads and answers.",
    };
    let echo = get(async |_: Caller| ferrex_web::Json(Echo::example()))
        .post(async |_: Caller, ferrex_web::Json(echo): ferrex_web::Json<Echo>| ferrex_web::Json(echo));
    let tokens = TokenVerifier::new([key], SystemClock::shared());
    let routes = OpenApiRouter::new().route("/v1/echo", echo);
    Ok(public_router(&surface, &config, Some(tokens), vec![routes])?)
}
