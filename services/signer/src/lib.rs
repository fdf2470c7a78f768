//! The signer role: the only process that can reach private keys.
//!
//! It answers requests of `payment` over the bus and speaks with nobody else; it needs no chain node. What it signs it
//! checks itself: the chain and the asset must stand in its own settings, with caps on one payment and on a day, and the
//! signed bytes are read back by two decoders and compared with what was asked before they leave.
//!
//! - **Tables** (schema `signer`): `keystore` (which wallet this schema belongs to), `wallet` (the next nonce), `intent`
//!   (what was signed for whom), `signature` (every candidate, append-only), `cancelled` (what never will be signed), `nonce_advance` (when people let
//!   a wallet go on behind foreign transactions).
//! - **Topic in**: `signer.requests.v1`. **Topics out**: none.
//! - **Promises**: one nonce an intent and one intent a nonce, over any number of processes, by the wallet's row lock. The
//!   same intent and attempt give the same bytes. A signature is stored before it is answered. A later attempt replaces:
//!   same nonce, same payment, higher fee.
//! - **How it fails**: without the database nothing is signed. When the chain knows more transactions of the wallet than
//!   this schema (another program has the key, or the schema was restored from a backup), nothing new is signed on that
//!   chain until a person has looked. Another keystore than the schema's does not start.
//!
//! Where to look: `intent/flow.rs` is the signing transaction, `intent/model.rs` what is decided, `policy.rs` the caps,
//! `keystore/` the file.
//!
//! To add a family of chains: 1. its derivation in `keys.rs`, 2. its policy in `config.rs` and `policy.rs`, 3. an
//! aggregate beside `intent/` with its own nonce or output reservation, 4. its requests in `ferrex-contracts` and a file
//! each under `consumers/`.

mod config;
mod consumers;
mod error;
pub mod intent;
mod keys;
pub mod keystore;
mod policy;
mod schema;
mod service;
mod signer;

pub use config::{AssetConfig, ChainConfig, Config};
pub use error::Error;
pub use keys::Keys;
pub use schema::{MIGRATIONS, SCHEMA};
pub use service::{Dependencies, Service, build};
pub use signer::Signer;
