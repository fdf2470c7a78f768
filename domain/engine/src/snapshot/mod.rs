//! The engine's whole state as bytes, so that a restart need not replay the journal from its beginning.
//!
//! A snapshot is derived and may be lost; a wrong one must never be taken for a good one. So it is refused
//! ([`SnapshotError`]) unless each of these holds:
//!
//! 1. it begins with the magic bytes and a known version, is exactly as long as it says, and ends with the SHA-256 of all
//!    that stands before;
//! 2. everything in it is in its canonical form and order, and every value one that the engine can have;
//! 3. held parts are the sums of holds and orders ([`Restore`] checks what it checks of any projection);
//! 4. the state that comes out has the state hash that stands in it.
//!
//! Whether it belongs to this journal is for the caller to see, by the last row that it rests on ([`LastRow`]).
//!
//! Version 1, integers little-endian, a *number* being a byte with its length and as many bytes without leading zeros:
//!
//! | part | what |
//! |---|---|
//! | head | magic `FERREXSN`, version u16, length of the whole u64, shard u16, sequence u64, last command and its fingerprint, start of the idempotency window, state hash |
//! | accounts | count, then in the order of opening: owner, purpose, asset, total, held |
//! | holds | open ones by id: account, left, expiry; then the remembered closed ones by id: account |
//! | tiers | people above tier 0 by id |
//! | markets | by number: spec, state, fees, last price, last order; then its open orders by number |
//! | commands | those of the window by id: fingerprint, row, refusal |
//! | tail | SHA-256 of all that stands before |
//!
//! To change it: a new version, its reader beside the old ones, and a golden file (`tests/golden`) that stays readable.

mod bytes;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use write::write;

use ferrex_ids::CommandId;

use crate::{Engine, ReplayError};

const MAGIC: [u8; 8] = *b"FERREXSN";
/// The version that is written.
const VERSION: u16 = 1;
/// Magic, version, length.
const PREFIX: usize = 8 + 2 + 8;
/// SHA-256.
const TAIL: usize = 32;
/// Sequences, order numbers and places in time are far below; so that counting on cannot overflow.
const COUNT_MAX: u64 = 1 << 62;

/// The journal row that a snapshot ends with: what ties it to its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRow {
    /// Id of the row, which is the last of its command.
    pub id: u64,
    /// The row's command.
    pub command: CommandId,
    /// Fingerprint of the command.
    pub fingerprint: u64,
}

/// A snapshot that was read and found good.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state.
    pub engine: Engine,
    /// The row it rests on.
    pub last: LastRow,
}

/// Why a snapshot is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is no snapshot.
    #[error("it is no snapshot")]
    Foreign,
    /// It is of a version that this program does not read.
    #[error("its version {0} is not known")]
    Version(u16),
    /// It is shorter or longer than it says.
    #[error("it has {is} bytes and says {says}")]
    Length {
        /// Bytes that are there.
        is: u64,
        /// Bytes that it says.
        says: u64,
    },
    /// Its bytes have changed.
    #[error("its checksum differs")]
    Checksum,
    /// A value that the engine never writes.
    #[error("{what} cannot be at byte {at}")]
    Value {
        /// Which value.
        what: &'static str,
        /// Where it ends.
        at: usize,
    },
    /// Its parts do not fit each other.
    #[error("its parts do not fit each other")]
    State(#[from] ReplayError),
    /// It leads to another state than that of which it was made.
    #[error("its state hash differs")]
    StateHash,
}

impl Snapshot {
    /// Reads a snapshot, or says why it is not good.
    pub fn read(bytes: &[u8]) -> Result<Self, SnapshotError> {
        read::read(bytes, ferrex_matching::Sizes::default())
    }

    /// As [`Snapshot::read`], with other sizes of the books.
    pub fn read_with_sizes(bytes: &[u8], sizes: ferrex_matching::Sizes) -> Result<Self, SnapshotError> {
        read::read(bytes, sizes)
    }
}
