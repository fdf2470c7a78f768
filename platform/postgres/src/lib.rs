//! PostgreSQL, the truth of every service: pool, transactions, the number type of money, schemas and migrations.
//!
//! Each service has one schema, one login role that owns nothing, and one [`Db`] bound to both, so that its SQL names no
//! schema and reaches no other's tables. The owning admin role appears only in [`provision`], which creates role and
//! schema, applies migrations once each under an advisory lock and grants reading and writing of rows.
//!
//! **The lost write (F79).** In sqlx 0.9.0 a future that is dropped while `BEGIN` is under way leaves the pooled connection
//! inside an open transaction; the next borrower's writes are answered and then gone. [`Db`] therefore begins in a task of
//! its own, which no caller cancels, and `sqlx::Pool::begin` is banned everywhere else by `clippy.toml`.
//!
//! To add a table: 1. append a [`Migration`] to the service's own [`MigrationSet`] (never edit an applied one; it is
//! refused by its checksum); 2. run the service's schema test with `UPDATE_SNAPSHOTS=1` and read the difference in its
//! `schema.sql`.

mod array;
mod copy;
mod db;
mod dedicated;
mod error;
mod migrate;
mod number;
mod provision;
mod schema;

pub use array::column_of;
pub use copy::{Copied, CopiedRow, CopyError, copy_out, present};
pub use db::{Db, DbConfig, Tx};
pub use dedicated::Dedicated;
pub use error::{Error, SqlResult, constraint_name, is_unique_violation};
pub use migrate::{Migration, MigrationSet};
pub use number::PgU128;
pub use provision::{SchemaSpec, provision};
pub use schema::{assert_schema_matches, dump_schema, schema_before};
