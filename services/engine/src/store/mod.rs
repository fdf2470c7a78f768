//! SQL of the engine: rows to the kernel's types and back.
//!
//! Lock order: lease, then head. A batch takes head, after its rows; the projection takes its own tables alone.

mod append;
mod audits;
mod holds;
mod journal;
mod lease;
mod orders;
mod projection;
mod relay;
mod snapshot;

pub(crate) use append::{Appended, append};
pub(crate) use audits::{ask_for_audit, audit_asked_for, audit_is_made};
pub(crate) use holds::closed_holds_by_id;
pub(crate) use journal::{Page, accounts_between, known_by_id, last_id, page, rows_between};
pub(crate) use lease::{Lease, hold_lock, is_epoch, owner_address, release_lease, renew_lease, take_lease};
pub(crate) use projection::{Projected, project, projected};
pub(crate) use relay::{relay_cursor, relay_watch, remember_relay_cursor, set_relay_cursor, tell_again};
pub(crate) use snapshot::{StoredSnapshot, last_row, snapshot_bytes, snapshots, store_snapshot};

use uuid::Uuid;

use ferrex_ledger::{Account, AccountKey, Owner, Purpose};
use ferrex_money::AssetId;

use crate::Error;

/// A stored value that this program never writes.
#[expect(clippy::needless_pass_by_value, reason = "callers pass numbers and literals")]
fn stored(what: &'static str, row: impl ToString) -> Error {
    Error::Stored {
        what,
        row: row.to_string(),
    }
}

/// A non-negative number from a signed column.
fn natural<T: TryInto<U> + Copy, U>(value: T, what: &'static str, row: impl ToString) -> Result<U, Error> {
    value.try_into().map_err(|_| stored(what, row))
}

fn account_key(owner: Option<Uuid>, purpose: i16, asset: i32, id: i32) -> Result<AccountKey, Error> {
    let purpose = u8::try_from(purpose)
        .ok()
        .and_then(Purpose::from_code)
        .ok_or_else(|| stored("purpose", id))?;
    let owner = owner.map_or(Owner::House, Owner::User);
    Ok(AccountKey {
        account: Account { owner, purpose },
        asset: AssetId(natural(asset, "asset", id)?),
    })
}
