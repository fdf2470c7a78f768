use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::process::{Process, Signal};
use super::tools::fetched;
use super::{Error, free_port, until_free};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// An account of the development chain with 10,000 coins, from the mnemonic all development chains share. Its key is
/// known to everybody.
#[derive(Clone, Copy, Debug)]
pub struct DevAccount {
    /// Its address, checksummed.
    pub address: &'static str,
    /// Its private key.
    pub key: &'static str,
}

/// The first accounts of `test test test test test test test test test test test junk`.
pub const DEV_ACCOUNTS: [DevAccount; 5] = [
    DevAccount {
        address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        key: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    },
    DevAccount {
        address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        key: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    },
    DevAccount {
        address: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        key: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    },
    DevAccount {
        address: "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        key: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    },
    DevAccount {
        address: "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        key: "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    },
];

/// How a chain is run.
#[derive(Clone, Debug)]
pub struct AnvilOptions {
    /// Where its log and state are.
    pub dir: PathBuf,
    /// Port on 127.0.0.1, `None` for a free one.
    pub port: Option<u16>,
    /// Seconds between blocks; `None` mines a block for each transaction.
    pub block_seconds: Option<u32>,
    /// Whether the chain is kept over a restart.
    pub keep_state: bool,
    /// How long it may take to stop when our process is gone; 0 for a chain nobody keeps.
    pub grace_seconds: u32,
}

/// One anvil, an EVM chain for development (chain id 31337).
#[derive(Debug)]
pub struct AnvilServer {
    options: AnvilOptions,
    port: u16,
    process: Option<Process>,
}

impl AnvilServer {
    /// Starts it; returns when it answers.
    pub async fn start(options: AnvilOptions) -> Result<Self, Error> {
        let port = options.port.unwrap_or_else(free_port);
        let mut server = Self {
            options,
            port,
            process: None,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts it after [`AnvilServer::stop`] or [`AnvilServer::kill9`]. The chain goes on if its state is kept.
    pub async fn start_again(&mut self) -> Result<(), Error> {
        until_free(self.port).await?;
        let mut command = Command::new(fetched("anvil", "anvil")?);
        command
            .args(["--host", "127.0.0.1", "--silent", "--port"])
            .arg(self.port.to_string());
        if let Some(seconds) = self.options.block_seconds {
            command.arg("--block-time").arg(seconds.to_string());
        }
        if self.options.keep_state {
            command
                .arg("--state")
                .arg(self.options.dir.join("anvil-state.json"))
                .args(["--state-interval", "5"]);
        }
        let dir = &self.options.dir;
        std::fs::create_dir_all(dir).map_err(Error::io(format!("creating {}", dir.display())))?;
        command.current_dir(dir);
        let mut process = Process::spawn(
            "anvil",
            command,
            &dir.join("anvil.log"),
            self.options.grace_seconds,
        )?;
        let started = Instant::now();
        while self.rpc("eth_chainId", json!([])).await.is_err() {
            process.still_starting(started, READY_WITHIN)?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Stops it in good order (SIGTERM), which writes the state.
    pub async fn stop(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM, Duration::from_secs(8)).await?;
        }
        Ok(())
    }

    /// Kills it (SIGKILL); what is not in the state file is lost.
    pub async fn kill9(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.kill9().await?;
        }
        Ok(())
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.process
            .as_mut()
            .is_none_or(|process| process.ended().is_some())
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its JSON-RPC address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls a JSON-RPC method and returns its result.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value, Error> {
        let doing = || format!("calling {method} on the development chain");
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = Bytes::from(body.to_string());
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let request = http_request(&self.url(), body).map_err(Error::refused(doing()))?;
        let response = client.request(request).await.map_err(Error::refused(doing()))?;
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(Error::refused(doing()))?
            .to_bytes();
        let mut answer: Value = serde_json::from_slice(&bytes).map_err(Error::refused(doing()))?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(Error::Refused {
                doing: doing(),
                answer: answer["error"].to_string(),
            }),
        }
    }
}

fn http_request(url: &str, body: Bytes) -> Result<http::Request<Full<Bytes>>, http::Error> {
    http::Request::post(url)
        .header("content-type", "application/json")
        .body(Full::new(body))
}
