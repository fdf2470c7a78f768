//! The follower: reads each network block by block and tells deposits and withdrawals what it found.
//!
//! One follower a network at a time, by a lease with an epoch; every block is written in one transaction that moves the
//! cursor from exactly the block before, under exactly that epoch. So no block is skipped, none is taken twice, and a
//! follower that lost its lease writes nothing (I12, I13). What a block means is decided in `ferrex_chains`.

mod block;
mod run;
pub mod store;
mod watched;

pub use run::run;
