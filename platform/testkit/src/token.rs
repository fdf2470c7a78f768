//! The token of `fixtures/TestToken.sol`, as calls that a transaction carries.

use alloy_primitives::{Address, U256, hex, keccak256};
use alloy_sol_types::SolValue;

const ARTIFACT: &str = include_str!("../fixtures/TestToken.json");

/// The data of the transaction that creates a token; all of `supply` belongs to the creator.
pub fn creation(name: &str, symbol: &str, decimals: u8, supply: U256) -> String {
    let artifact: serde_json::Value = serde_json::from_str(ARTIFACT).expect("the fixture is JSON");
    let bytecode = artifact["bytecode"]
        .as_str()
        .expect("the fixture holds the bytecode");
    let arguments = (name.to_owned(), symbol.to_owned(), U256::from(decimals), supply).abi_encode_params();
    format!("{bytecode}{}", hex::encode(arguments))
}

/// `transfer(to, value)`.
pub fn transfer(to: Address, value: U256) -> String {
    call("transfer(address,uint256)", &(to, value).abi_encode_params())
}

/// `mint(to, value)`, which anybody may call.
pub fn mint(to: Address, value: U256) -> String {
    call("mint(address,uint256)", &(to, value).abi_encode_params())
}

/// Several transfers in one transaction, each with its own log.
pub fn transfer_many(payments: &[(Address, U256)]) -> String {
    let (to, values): (Vec<Address>, Vec<U256>) = payments.iter().copied().unzip();
    call(
        "transferMany(address[],uint256[])",
        &(to, values).abi_encode_params(),
    )
}

/// A log that looks like a transfer, without one.
pub fn pretend(from: Address, to: Address, value: U256) -> String {
    call(
        "pretend(address,address,uint256)",
        &(from, to, value).abi_encode_params(),
    )
}

/// `balanceOf(owner)`.
pub fn balance_of(owner: Address) -> String {
    call("balanceOf(address)", &(owner,).abi_encode_params())
}

fn call(signature: &str, arguments: &[u8]) -> String {
    format!(
        "0x{}{}",
        hex::encode(&keccak256(signature)[..4]),
        hex::encode(arguments)
    )
}
