//! What the engine says: its journal, one event a command; and what each audit of it found.

use ferrex_ids::{CommandId, HoldId};
use ferrex_ledger::Account;
use ferrex_money::{Amount, AssetId};
use ferrex_time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::payment::Direction;

messages! {
    /// A command was applied and committed.
    JournalCommitted {
        /// Journal id of the command's last row.
        sequence: u64,
        /// The command.
        command: CommandId,
        /// Number of the reason, as `ferrex_engine_core::Reason` lists them.
        reason: u16,
        /// What it is about.
        reference: Uuid,
        /// The command's time.
        at: Timestamp,
        /// What it moved.
        entries: Vec<Entry>,
        /// What it did to holds.
        holds: Vec<HoldChange>,
    }
    /// One side of one movement.
    Entry {
        /// The account.
        account: Account,
        /// The asset.
        asset: AssetId,
        /// Which side.
        direction: Direction,
        /// How much.
        amount: Amount,
    }
    /// A change of a hold.
    HoldChange {
        /// Which.
        hold: HoldId,
        /// On which account.
        account: Account,
        /// The asset.
        asset: AssetId,
        /// What happened.
        kind: HoldChangeKind,
        /// How much was reserved, or left the hold.
        amount: Amount,
    }
}

events! { "engine.journal.v1": JournalCommitted = "engine.journal.committed" }

messages! {
    /// The ledger was audited. What an audit finds stands until a later one does not find it any more.
    LedgerAudited {
        /// When it was asked for; of two audits the later one counts.
        at: Timestamp,
        /// How many findings there are.
        findings: u64,
        /// The assets that findings name.
        assets: Vec<AssetId>,
        /// Whether a finding names no asset, so that it concerns all of them.
        concerns_all: bool,
    }
}

events! { "engine.audit.v1": LedgerAudited = "engine.ledger.audited" }

/// What happened to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldChangeKind {
    /// It was made.
    Reserved,
    /// Part or all of it was moved.
    Posted,
    /// What was left was released.
    Voided,
    /// What was left was released by time.
    Expired,
}
