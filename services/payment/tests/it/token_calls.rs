//! Contracts of a few bytes, put in place with `anvil_setCode`, for transactions that no ordinary token makes.

use std::fmt::Write as _;

/// `keccak256("Transfer(address,address,uint256)")`.
const TRANSFER: &str = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

fn word(address: &str) -> String {
    format!("{:0>64}", address.trim_start_matches("0x").to_lowercase())
}

/// Code that logs transfers of `amount` from `from` to each of `to`, and then calls `then`, whatever it is called with.
pub fn logs(from: &str, payments: &[(&str, u128)], then: Option<&str>) -> String {
    let mut code = String::from("0x");
    for (to, amount) in payments {
        // PUSH32 amount, PUSH1 0, MSTORE, PUSH32 to, PUSH32 from, PUSH32 event, PUSH1 32, PUSH1 0, LOG3
        let _ = write!(
            code,
            "7f{amount:064x}6000527f{}7f{}7f{TRANSFER}60206000a3",
            word(to),
            word(from)
        );
    }
    if let Some(next) = then {
        // PUSH1 0 five times, PUSH20 next, GAS, CALL
        let _ = write!(
            code,
            "6000600060006000600073{}5af1",
            next.trim_start_matches("0x").to_lowercase()
        );
    }
    code + "00"
}

/// Code that logs a transfer of 2^128 + 5 units, which is more than 128 bits hold.
pub fn huge_log(from: &str, to: &str) -> String {
    logs(from, &[(to, 5)], None).replacen(&format!("7f{:064x}", 5), &format!("7f{:0>31}1{:032x}", "", 5), 1)
}

/// Code that refuses everything: PUSH1 0, PUSH1 0, REVERT.
pub const REVERTS: &str = "0x60006000fd";
