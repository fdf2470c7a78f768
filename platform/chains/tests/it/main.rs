//! The EVM client, block verification and follower against a real node.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like a test")]

mod blocks;
mod follow;
mod liar;
mod nodes;
