//! Transactions as bytes: the two decoders that the signer compares never read two different things out of one input.

#![no_main]

use ferrex_chains::evm::{SignedTx, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (first, second) = (SignedTx::decode(data), inspect::inspect(data));
    let Ok(first) = first else { return };
    assert_eq!(first.raw(), data);
    assert_eq!(SignedTx::decode(first.raw()).unwrap().hash(), first.hash());
    let Ok(second) = second else { return };
    let tx = first.tx();
    assert_eq!(second.hash, first.hash());
    assert_eq!(second.from, first.from());
    assert_eq!(
        (second.chain_id, second.nonce, second.gas_limit),
        (tx.chain_id, tx.nonce, tx.gas_limit)
    );
    assert_eq!(
        (second.max_fee_per_gas, second.max_priority_fee_per_gas),
        (tx.max_fee_per_gas, tx.max_priority_fee_per_gas)
    );
    let meaning = tx.meaning().unwrap();
    assert_eq!((second.contract, second.payee), (meaning.contract, meaning.payee));
    assert_eq!(second.amount.to_string(), meaning.amount.to_string());
});
