//! A person has an account: from now on we know how to reach them.

use ferrex_contracts::core::UserConfirmed;
use ferrex_fault::Fault;
use ferrex_postgres::Tx;

use crate::contact;

pub(super) async fn handle(event: UserConfirmed, tx: &mut Tx) -> Result<(), Fault> {
    contact::store::put(tx, event.user, &event.username, &event.email, event.version).await?;
    Ok(())
}
