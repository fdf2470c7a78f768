//! Chains as Ferrex sees them.
//!
//! One module a family of chains; today [`evm`]. A module holds what can be decided without a database: addresses and
//! their checks, a client of nodes that believes nothing it can recompute, the follower's decisions, transactions and
//! fees. Cursors, deposits and nonces live with their owners (`payment`, `signer`).
//!
//! To add a family: a module beside `evm` with an address type that says why it refuses, a block type that exists
//! only verified, a pure search for transfers in it, and a pure follower; then the seams in `payment` and `signer`.

pub mod evm;
