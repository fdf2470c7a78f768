//! Two engine processes: killing the one that decides, on request, and playing a demo that asks for it.
//!
//! `POST /engine/kill` at the control address is answered when the other process decides. The killed one is started again and
//! stands by from then on, so that it can be asked for any number of times.

use std::convert::Infallible;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use ferrex_testkit::servers::free_port;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::plan::Shape;
use crate::system::{DATABASE, System, serve};

/// Name of the second engine process.
pub const STANDBY: &str = "engine-2";

/// How long a standby may take to decide.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// A request to kill the owner; takes what came of it.
pub type Asked = oneshot::Sender<anyhow::Result<Value>>;

/// Where the owner is killed on request.
pub struct Control {
    pub(crate) address: String,
    asked: mpsc::Receiver<Asked>,
}

async fn kill(State(ask): State<mpsc::Sender<Asked>>) -> (StatusCode, Json<Value>) {
    let (reply, answer) = oneshot::channel();
    let told = match ask.send(reply).await {
        Ok(()) => answer.await.context("the system stops"),
        Err(_) => Err(anyhow::anyhow!("the system stops")),
    };
    match told.and_then(|told| told) {
        Ok(told) => (StatusCode::OK, Json(told)),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({ "detail": format!("{error:#}") })),
        ),
    }
}

impl System {
    /// Listens for requests to kill the owner, in a system with a standby.
    pub(crate) async fn offer_control(&mut self) -> anyhow::Result<()> {
        if self.plan().shape != Shape::Standby {
            return Ok(());
        }
        let (ask, asked) = mpsc::channel(1);
        let port = free_port();
        let router = Router::new().route("/engine/kill", post(kill)).with_state(ask);
        serve(port, router, &self.stop_pages).await?;
        self.control = Some(Control {
            address: format!("http://127.0.0.1:{port}"),
            asked,
        });
        Ok(())
    }

    /// The next request at the control address. Dropped, it loses none.
    pub async fn asked(&mut self) -> Asked {
        let asked = match &mut self.control {
            Some(control) => control.asked.recv().await,
            None => None,
        };
        match asked {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// Does what was asked. Not to be dropped half-way.
    pub async fn answer(&mut self, asked: Asked) {
        let told = self.kill_owner().await;
        // Whoever asked may have gone; the owner is dead all the same.
        let _ = asked.send(told);
    }

    async fn obey(&mut self) -> Infallible {
        loop {
            let asked = self.asked().await;
            self.answer(asked).await;
        }
    }

    /// The process whose address stands in the engine's lease.
    async fn owner(&self) -> anyhow::Result<Option<&'static str>> {
        let mut connection = self.postgres.connect(DATABASE).await?;
        let address: Option<String> =
            sqlx::query_scalar("SELECT address FROM engine.lease WHERE expires_at > clock_timestamp()")
                .fetch_optional(&mut connection)
                .await?
                .flatten();
        let engines = self.plan().engines().iter().zip(&self.engines);
        let mut owner =
            engines.filter(|(_, listens)| address.as_deref() == Some(&format!("http://{listens}")));
        Ok(owner.next().map(|(name, _)| *name))
    }

    /// Kills the engine process that decides (SIGKILL), waits until the other does, and starts the killed one again.
    pub async fn kill_owner(&mut self) -> anyhow::Result<Value> {
        let killed = self.owner().await?.context("an engine decides")?;
        let begin = Instant::now();
        self.kill(killed).await?;
        let took_over = loop {
            match self.owner().await? {
                Some(owner) if owner != killed => break owner,
                _ if begin.elapsed() > TAKES_OVER_WITHIN => {
                    bail!("no standby decides {TAKES_OVER_WITHIN:?} after {killed} was killed")
                }
                _ => tokio::time::sleep(LOOK).await,
            }
        };
        let takeover = begin.elapsed();
        self.start_process(killed, &[]).await?;
        self.wait_ready(killed).await?;
        Ok(json!({
            "killed": killed, "took_over": took_over,
            "takeover_ms": u64::try_from(takeover.as_millis()).unwrap_or(u64::MAX),
        }))
    }

    /// Plays `ferrex demo` with these arguments and does what it asks for meanwhile. With `show`, what it says is printed as
    /// it says it; else it is in the output.
    pub async fn play(&mut self, arguments: &[&str], show: bool) -> anyhow::Result<Output> {
        let mut command = tokio::process::Command::new(&self.plan().ferrex);
        command
            .arg("demo")
            .args(arguments)
            .arg("--surroundings")
            .arg(self.surroundings_file())
            .kill_on_drop(true);
        if !show {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let playing = command.spawn().context("starting the demo")?.wait_with_output();
        tokio::select! {
            output = playing => Ok(output?),
            never = self.obey() => match never {},
        }
    }
}
