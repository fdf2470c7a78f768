use ferrex_ids::HoldId;
use ferrex_ledger::{AccountId, AccountKey, AccountState, FrozenAccounts, Hold, Owner};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::known::Window;
use crate::{Engine, LastRow, MarketView, OrderState, snapshot};

/// So many bytes of accounts are hashed at once: a few at a time take longer to hand over than to hash.
const HASHED_TOGETHER: usize = 4_096;

/// The state of an engine as of a row, whatever the engine decides after it: what takes long is done with this, on another
/// thread. Accounts and answers are shared with the engine until it changes them, the rest is copied.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub(crate) shard: u16,
    pub(crate) sequence: u64,
    pub(crate) accounts: FrozenAccounts,
    /// By id.
    pub(crate) open_holds: Vec<Hold>,
    /// By id.
    pub(crate) closed_holds: Vec<(HoldId, AccountId)>,
    /// Of people above tier 0, by person.
    pub(crate) tiers: Vec<(Uuid, u8)>,
    /// By number, each with its orders, the longest in place first.
    pub(crate) markets: Vec<(MarketView, Vec<OrderState>)>,
    pub(crate) known: Window,
}

impl Engine {
    /// The state as it is now, for whoever reads it while the engine goes on. Only between commands, see
    /// [`Engine::is_between_commands`].
    pub fn freeze(&mut self) -> Frozen {
        let (tiers, markets) = (self.tiers(), self.markets_with_orders());
        Frozen {
            shard: self.shard,
            sequence: self.sequence,
            accounts: self.ledger.freeze_accounts(),
            open_holds: self.ledger.open_holds(),
            closed_holds: self.ledger.closed_holds(),
            tiers,
            markets,
            known: self.known.share(),
        }
    }

    fn tiers(&self) -> Vec<(Uuid, u8)> {
        let mut tiers: Vec<_> = self.trading.tiers.iter().map(|(id, tier)| (*id, *tier)).collect();
        tiers.sort_unstable();
        tiers
    }

    fn markets_with_orders(&self) -> Vec<(MarketView, Vec<OrderState>)> {
        let with_orders = |view: MarketView| {
            let orders = self.open_orders(view.id);
            (view, orders)
        };
        self.markets().into_iter().map(with_orders).collect()
    }

    /// As [`Frozen::state_hash`].
    pub fn state_hash(&self) -> [u8; 32] {
        let (accounts, holds) = (self.ledger.accounts(), self.ledger.open_holds());
        state_hash(accounts, &holds, &self.markets_with_orders(), &self.tiers())
    }

    /// As [`Frozen::to_snapshot`], of a copy of the whole state.
    pub fn to_snapshot(&self, last: LastRow) -> Vec<u8> {
        self.clone().freeze().to_snapshot(last)
    }
}

impl Frozen {
    /// Id of the last row that is in it.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The state as bytes. `last` is the journal row that it rests on.
    pub fn to_snapshot(&self, last: LastRow) -> Vec<u8> {
        snapshot::write(self, last)
    }

    /// SHA-256 over accounts with their balances in the order of opening, over open holds by id, and over markets with their
    /// queues, where there are any: equal states, equal hashes. It is stored in snapshots and never changes.
    pub fn state_hash(&self) -> [u8; 32] {
        state_hash(self.accounts.iter(), &self.open_holds, &self.markets, &self.tiers)
    }
}

fn state_hash(
    accounts: impl Iterator<Item = (AccountKey, AccountState)>,
    holds: &[Hold],
    markets: &[(MarketView, Vec<OrderState>)],
    tiers: &[(Uuid, u8)],
) -> [u8; 32] {
    let (mut hash, mut bytes) = (Sha256::new(), Vec::new());
    for (key, state) in accounts {
        let owner = match key.account.owner {
            Owner::House => Uuid::nil(),
            Owner::User(user) => user,
        };
        bytes.push(u8::from(key.account.owner != Owner::House));
        bytes.push(key.account.purpose.code());
        bytes.extend_from_slice(owner.as_bytes());
        bytes.extend_from_slice(&key.asset.0.to_le_bytes());
        bytes.extend_from_slice(&state.id.0.to_le_bytes());
        bytes.extend_from_slice(&state.total.to_le_bytes());
        bytes.extend_from_slice(&state.held.to_le_bytes());
        if bytes.len() >= HASHED_TOGETHER {
            hash.update(&bytes);
            bytes.clear();
        }
    }
    hash.update(&bytes);
    hash.update([0xff]);
    for hold in holds {
        hash.update(hold.id.uuid().as_bytes());
        hash.update(hold.account.0.to_le_bytes());
        hash.update(hold.left.to_le_bytes());
        hash.update(
            hold.expires_at
                .map_or(i64::MAX, |at| at.timestamp_micros())
                .to_le_bytes(),
        );
    }
    for (view, orders) in markets {
        view.hash(&mut hash);
        for order in orders {
            order.hash(&mut hash);
        }
    }
    for (owner, tier) in tiers {
        hash.update([0xfc, *tier]);
        hash.update(owner.as_bytes());
    }
    hash.finalize().into()
}
