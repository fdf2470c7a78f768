use std::time::Duration;

use alloy_primitives::{Address, U256};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::RwLock;

use crate::eventually::eventually;
use crate::postgres::temp_dir;
use crate::servers::{AnvilOptions, AnvilServer, DEV_ACCOUNTS, DevAccount, must};
use crate::token;

/// A private EVM chain of this test: anvil, chain id 31337. Numbers in JSON-RPC are hexadecimal texts.
///
/// It mines a block for each transaction, until `evm_setAutomine` says otherwise. The [`Anvil::ACCOUNTS`] are
/// unlocked: `eth_sendTransaction` from them needs no signature.
pub struct Anvil {
    server: RwLock<AnvilServer>,
    url: String,
    port: u16,
    _dir: TempDir,
}

impl Anvil {
    /// Accounts with 10,000 coins each.
    pub const ACCOUNTS: [DevAccount; 5] = DEV_ACCOUNTS;
    /// Its chain id.
    pub const CHAIN_ID: u64 = 31_337;

    /// Starts a chain at block 0.
    pub async fn start() -> Self {
        let dir = temp_dir("anvil");
        let options = AnvilOptions {
            dir: dir.path().to_owned(),
            port: None,
            block_seconds: None,
            keep_state: true,
            grace_seconds: 0,
        };
        let server = must(AnvilServer::start(options).await);
        Self {
            url: server.url(),
            port: server.port(),
            server: RwLock::new(server),
            _dir: dir,
        }
    }

    /// Its JSON-RPC address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port on 127.0.0.1, for a [`crate::Proxy`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Calls a JSON-RPC method; panics when it is refused.
    pub async fn rpc(&self, method: &str, params: Value) -> Value {
        must(self.try_rpc(method, params).await)
    }

    /// Calls a JSON-RPC method that may be refused.
    pub async fn try_rpc(&self, method: &str, params: Value) -> Result<Value, crate::servers::Error> {
        self.server.read().await.rpc(method, params).await
    }

    /// Mines blocks.
    pub async fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", json!([format!("{blocks:#x}")])).await;
    }

    /// Replaces the last `depth` blocks by other, empty ones.
    pub async fn reorg(&self, depth: u64) {
        self.rpc("anvil_reorg", json!([depth, []])).await;
    }

    /// The height of the last block.
    pub async fn height(&self) -> u64 {
        number(&self.rpc("eth_blockNumber", json!([])).await).to()
    }

    /// What an address has of the native coin, in wei.
    pub async fn balance(&self, address: &str) -> U256 {
        number(&self.rpc("eth_getBalance", json!([address, "latest"])).await)
    }

    /// Sends coins from an unlocked account and returns the transaction's hash.
    pub async fn pay(&self, from: &str, to: &str, wei: U256) -> String {
        self.send(json!({ "from": from, "to": to, "value": format!("{wei:#x}") }))
            .await
    }

    /// Sends a transaction from an unlocked account and returns its hash, once it is mined while the chain mines a
    /// block for each transaction, else at once.
    pub async fn send(&self, transaction: Value) -> String {
        let hash = self.rpc("eth_sendTransaction", json!([transaction])).await;
        let hash = hash.as_str().expect("a transaction's hash is a text").to_owned();
        if self.rpc("anvil_getAutomine", json!([])).await == Value::Bool(true) {
            self.receipt(&hash).await;
        }
        hash
    }

    /// The receipt of a transaction, once it is mined.
    pub async fn receipt(&self, hash: &str) -> Value {
        eventually(Duration::from_secs(10), async || {
            let receipt = self.rpc("eth_getTransactionReceipt", json!([hash])).await;
            (!receipt.is_null()).then_some(receipt)
        })
        .await
    }

    /// Creates a token whose supply belongs to `owner`, an unlocked account, and returns its address.
    pub async fn deploy_token(&self, owner: &str, symbol: &str, decimals: u8, supply: U256) -> String {
        let data = token::creation(&format!("Test {symbol}"), symbol, decimals, supply);
        let hash = self.send(json!({ "from": owner, "data": data })).await;
        let address = self.receipt(&hash).await["contractAddress"].clone();
        address
            .as_str()
            .expect("a creation's receipt has the address")
            .to_owned()
    }

    /// Sends tokens from an unlocked account and returns the transaction's hash.
    pub async fn pay_token(&self, token: &str, from: &str, to: &str, value: U256) -> String {
        let data = token::transfer(address(to), value);
        self.send(json!({ "from": from, "to": token, "data": data }))
            .await
    }

    /// What an address has of a token.
    pub async fn token_balance(&self, token: &str, owner: &str) -> U256 {
        let data = token::balance_of(address(owner));
        number(
            &self
                .rpc("eth_call", json!([{ "to": token, "data": data }, "latest"]))
                .await,
        )
    }

    /// Stops it with SIGTERM, which writes its state.
    pub async fn stop(&self) {
        must(self.server.write().await.stop().await);
    }

    /// Kills it with SIGKILL; the chain is as of the last written state when it starts again.
    pub async fn kill9(&self) {
        must(self.server.write().await.kill9().await);
    }

    /// Starts it again on the same port.
    pub async fn start_again(&self) {
        must(self.server.write().await.start_again().await);
    }
}

fn address(text: &str) -> Address {
    text.parse().expect("an address of twenty bytes")
}

fn number(value: &Value) -> U256 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a number in hexadecimal")
}
