use ferrex_fault::{Classify, Kind};

use super::follower::{self, AtTip, Cursor, Gap, Next, Rewind, Search};
use super::{EvmRpc, RpcError, VerifiedBlock};

/// What the chain shows to a follower.
#[derive(Debug)]
pub enum Observed {
    /// The next block: process it and store its cursor in one transaction, then look again.
    Block(Box<VerifiedBlock>),
    /// Blocks were taken back: undo everything above this cursor in one transaction, store it, then look again.
    Reorganised {
        /// The last block that is still on the chain.
        back_to: Cursor,
    },
    /// No block after the cursor's yet.
    AtTip,
    /// The nodes do not even have the cursor's block: they lag. Wait.
    Behind,
}

/// Why nothing could be seen.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The nodes did not answer, or not usably.
    #[error("looking at the chain")]
    Rpc(#[from] RpcError),
    /// The store holds no contiguous hashes below its cursor.
    #[error("reading the stored hashes")]
    Store(#[from] Gap),
    /// There is no stored block at all; the first one is given when a network is added.
    #[error("no block is stored to follow from")]
    NothingStored,
    /// None of the stored blocks is on the chain any more. Nothing is undone by guess: a person has to look (F09).
    #[error("the chain was reorganised below block {lowest}, deeper than what is kept")]
    TooDeep {
        /// The lowest stored height.
        lowest: u64,
    },
}

impl Classify for ObserveError {
    fn kind(&self) -> Kind {
        match self {
            Self::Rpc(error) => error.kind(),
            Self::Store(_) | Self::NothingStored => Kind::Internal,
            Self::TooDeep { .. } => Kind::Conflict,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Rpc(error) => error.code(),
            Self::Store(_) => "chains.follower.stored_gap",
            Self::NothingStored => "chains.follower.nothing_stored",
            Self::TooDeep { .. } => "chains.follower.reorganised_too_deep",
        }
    }
}

/// Looks one step ahead of the stored blocks, given newest first from the cursor down, as many as reorganisations may
/// reach back. Changes nothing; all decisions are those of [`follower`].
pub async fn observe(rpc: &EvmRpc, stored: &[Cursor]) -> Result<Observed, ObserveError> {
    let (cursor, lowest) = match (stored.first(), stored.last()) {
        (Some(cursor), Some(lowest)) => (*cursor, lowest.height),
        _ => return Err(ObserveError::NothingStored),
    };
    let height = cursor.height.saturating_add(1);
    match rpc.block(height).await {
        Ok(block) => {
            let header = block.header();
            let step = follower::next(cursor, header.height, header.hash, header.parent);
            // The client has refused a block of another height already.
            if matches!(step, Ok(Next::Advance(_))) {
                return Ok(Observed::Block(Box::new(block)));
            }
        }
        Err(RpcError::Missing { .. }) => match follower::at_tip(cursor, rpc.hash_at(cursor.height).await?) {
            AtTip::Settled => return Ok(Observed::AtTip),
            AtTip::Behind => return Ok(Observed::Behind),
            AtTip::Reorganised => {}
        },
        Err(error) => return Err(error.into()),
    }
    let mut rewind = Rewind::try_new(stored.to_vec())?;
    let mut search = rewind.state();
    loop {
        search = match search {
            Search::Ask(height) => match rpc.hash_at(height).await? {
                Some(hash) => rewind.answer(hash),
                None => return Ok(Observed::Behind),
            },
            // The node changed its mind, or another answered: what was seen is not there any more.
            Search::Found(found) if found == cursor => return Ok(Observed::AtTip),
            Search::Found(back_to) => return Ok(Observed::Reorganised { back_to }),
            Search::TooDeep => return Err(ObserveError::TooDeep { lowest }),
        };
    }
}
