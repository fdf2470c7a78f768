//! What the development chain begins with.

use std::time::Duration;

use alloy_primitives::U256;
use anyhow::{bail, ensure};
use ferrex_testkit::servers::{AnvilServer, DEV_ACCOUNTS};
use ferrex_testkit::token;
use serde_json::{Value, json};

use crate::settings;

/// Decimal places of the test token.
const TOKEN_DECIMALS: u8 = 6;
/// How long its creation may take.
const MINED_WITHIN: Duration = Duration::from_mins(1);

/// The test token's contract, created by the first development account's first transaction if it is not there.
pub async fn ensure_token(chain: &AnvilServer) -> anyhow::Result<String> {
    // The address follows from the creator and its nonce 0.
    const TOKEN: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    let code = chain.rpc("eth_getCode", json!([TOKEN, "latest"])).await?;
    if code.as_str().is_some_and(|code| code.len() > 2) {
        return Ok(TOKEN.to_owned());
    }
    let supply = U256::from(1_000_000_000_000_000_u64);
    let data = token::creation("Test token", "TST", TOKEN_DECIMALS, supply);
    let creator = DEV_ACCOUNTS[0].address;
    let hash = chain
        .rpc("eth_sendTransaction", json!([{ "from": creator, "data": data }]))
        .await?;
    let deadline = tokio::time::Instant::now() + MINED_WITHIN;
    while tokio::time::Instant::now() < deadline {
        let receipt = chain
            .rpc("eth_getTransactionReceipt", json!([hash]))
            .await
            .unwrap_or(Value::Null);
        if let Some(address) = receipt["contractAddress"].as_str() {
            ensure!(
                address.eq_ignore_ascii_case(TOKEN),
                "the test token was created at {address}, not at {TOKEN}"
            );
            return Ok(TOKEN.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the test token was not created; chain id {}", settings::CHAIN_ID)
}
