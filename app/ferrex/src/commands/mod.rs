//! One file a subcommand.

pub mod check;
pub mod demo;
pub mod health;
pub mod ledger;
pub mod migrate;
pub mod openapi;
pub mod parked;
pub mod run;
pub mod settings;
pub mod signer;
pub mod topics;

use ferrex_postgres::Db;

use crate::role::Role;
use crate::settings::{Settings, login};

/// The database of a role, as that role.
async fn connect(settings: &Settings, role: Role) -> anyhow::Result<Db> {
    Ok(Db::connect(&settings.database.of_role(&login(role), role.name())?).await?)
}
