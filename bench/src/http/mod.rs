//! What HTTP costs: a GET and a POST that only read and answer, with all that stands around a route of ours (access token,
//! limits, traces, metrics, strict JSON), beside bare axum without any of it, and beside NestJS with a guard that checks the
//! same token. Every server has one core of its own.

pub mod client;
mod served;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use ferrex_ids::{SessionId, UserId};
use ferrex_testkit::servers::free_port;
use ferrex_time::{Clock as _, SystemClock};
use ferrex_web::{TokenSigner, generate_key_pem};

use self::client::Caller;
use self::served::Echo;
pub use self::served::serve;
use crate::effort::Effort;
use crate::pairs::{Limit, Run, compare};
use crate::program::{Nest, Program, on_core};

const CONNECTIONS: usize = 64;
const PATH: &str = "/v1/echo";
/// The server's core and the generator's.
const CORES: [usize; 2] = [0, 1];

/// Signs tokens of people.
pub struct Tokens {
    signer: TokenSigner,
}

impl Tokens {
    /// With a new key.
    pub fn new() -> anyhow::Result<Self> {
        let signer = TokenSigner::from_pem(&generate_key_pem(), SystemClock::shared())?;
        Ok(Self { signer })
    }

    /// With a known signer.
    pub const fn of(signer: TokenSigner) -> Self {
        Self { signer }
    }

    /// The key that verifies, as PEM.
    pub fn key(&self) -> String {
        self.signer.public_key().to_pem()
    }

    /// A token of a person, good for five minutes.
    pub fn of_user(&self, user: UserId) -> String {
        let session = SessionId::new_at(SystemClock.unix_ms());
        self.signer.sign(user, session).0
    }
}

/// Asks the same again and again.
struct Same {
    request: Vec<u8>,
    is_get: bool,
}

impl Caller for Same {
    fn next(&mut self) -> Vec<u8> {
        self.request.clone()
    }

    fn check(&mut self, status: u16, body: &[u8]) -> anyhow::Result<()> {
        ensure!(
            status == 200,
            "answered {status}: {}",
            String::from_utf8_lossy(body)
        );
        let right = if self.is_get {
            body.windows(7).any(|part| part == b"2000.01")
        } else {
            serde_json::from_slice::<Echo>(body)? == Echo::example()
        };
        ensure!(right, "answered {}", String::from_utf8_lossy(body));
        Ok(())
    }
}

/// Runs all comparisons.
pub async fn run(effort: Effort) -> anyhow::Result<()> {
    let (nest, tokens, port) = (Nest::build()?, Tokens::new()?, free_port());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let core = (cores >= CORES.len()).then_some(CORES[0]);
    let ours = Program::start("ours", server(core, "ours", port, &tokens)?).await?;
    for peer in ["bare axum", "NestJS with Fastify", "NestJS with Express"] {
        let peer_port = free_port();
        let command = if peer == "bare axum" {
            server(core, "axum", peer_port, &tokens)?
        } else {
            let adapter = if peer.ends_with("Express") {
                "express"
            } else {
                "fastify"
            };
            let mut command = nest.program(core, "echo", peer_port, &tokens.key());
            command.env("ADAPTER", adapter);
            command
        };
        let program = Program::start(peer, command).await?;
        pin(core.map(|_| CORES[1]))?;
        for is_get in [true, false] {
            compare(
                &format!("http, {} beside {peer}", if is_get { "GET" } else { "POST" }),
                effort.pairs,
                Limit::Loopback,
                async || measure(port, &tokens, is_get, effort).await,
                async || measure(peer_port, &tokens, is_get, effort).await,
            )
            .await?;
        }
        pin(None)?;
        program.stop().await?;
    }
    ours.stop().await
}

/// This program as a server.
fn server(core: Option<usize>, name: &str, port: u16, tokens: &Tokens) -> anyhow::Result<Command> {
    let mut command = on_core(core, &std::env::current_exe()?);
    command.args(["serve", name]);
    command
        .env("PORT", port.to_string())
        .env("TOKEN_KEY", tokens.key());
    Ok(command)
}

/// Keeps the threads of this process on one core, or lets them go.
fn pin(core: Option<usize>) -> anyhow::Result<()> {
    let cores = core.map_or_else(|| format!("0-{}", all_cores() - 1), |core| core.to_string());
    let done = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", &cores])
        .arg(std::process::id().to_string())
        .output()
        .context("starting taskset")?;
    ensure!(
        done.status.success(),
        "taskset: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(())
}

/// Cores of the machine, whichever of them this process may use.
fn all_cores() -> usize {
    let cpus = (0..).take_while(|cpu| Path::new(&format!("/sys/devices/system/cpu/cpu{cpu}")).exists());
    cpus.count().max(1)
}

async fn measure(port: u16, tokens: &Tokens, is_get: bool, effort: Effort) -> anyhow::Result<Run> {
    let body = serde_json::to_string(&Echo::example())?;
    let callers = (0..CONNECTIONS).map(|_| {
        let token = tokens.of_user(UserId::new_at(SystemClock.unix_ms()));
        let request = if is_get {
            client::get(PATH, &token)
        } else {
            client::post(PATH, &token, "none", &body)
        };
        Same { request, is_get }
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let seen = client::closed(address, callers.collect(), effort).await?;
    Ok(Run {
        count: seen.counted,
        took: effort.run,
        cpu: seen.cpu,
        note: String::new(),
    })
}
