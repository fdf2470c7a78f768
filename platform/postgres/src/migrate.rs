use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::Error;

/// One change of a schema. Once applied anywhere it is never edited.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Rises within its set.
    pub version: i64,
    /// A few words, for people.
    pub name: &'static str,
    /// Statements, run in one transaction with the schema as the only search path.
    pub sql: &'static str,
}

/// The migrations of one owner (the bus, the flows, a service), in order.
#[derive(Clone, Copy, Debug)]
pub struct MigrationSet {
    /// Unique within a schema.
    pub name: &'static str,
    /// Rising by version.
    pub migrations: &'static [Migration],
}

/// SHA-256 of a migration's text.
fn checksum(sql: &str) -> Vec<u8> {
    Sha256::digest(sql.as_bytes()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Applies what is missing of `sets` to `schema`, whose lock the caller holds.
///
/// Migrations that the database has and this program does not know are left alone: an older program runs on a newer schema.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    sets: &[&'static MigrationSet],
) -> Result<(), Error> {
    let bookkeeping = format!(
        "CREATE TABLE IF NOT EXISTS \"{schema}\".schema_migration (
             set_name   text        NOT NULL,
             version    bigint      NOT NULL,
             name       text        NOT NULL,
             checksum   bytea       NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT now(),
             PRIMARY KEY (set_name, version)
         );
         COMMENT ON TABLE \"{schema}\".schema_migration IS 'Which changes this schema has had, with the checksum of each';"
    );
    let provisioning = |doing: &'static str| {
        move |source| Error::Provision {
            schema: schema.to_owned(),
            doing,
            source,
        }
    };
    sqlx::raw_sql(AssertSqlSafe(bookkeeping))
        .execute(&mut *connection)
        .await
        .map_err(provisioning("creating the table of migrations"))?;
    let select = format!("SELECT set_name, version, checksum FROM \"{schema}\".schema_migration");
    let rows = sqlx::query(AssertSqlSafe(select))
        .fetch_all(&mut *connection)
        .await
        .map_err(provisioning("reading the table of migrations"))?;
    let mut applied = std::collections::HashMap::new();
    for row in rows {
        let key: (String, i64) = (row.try_get("set_name")?, row.try_get("version")?);
        applied.insert(key, row.try_get::<Vec<u8>, _>("checksum")?);
    }
    for set in sets {
        let mut before = i64::MIN;
        for migration in set.migrations {
            if migration.version <= before {
                return Err(Error::MigrationOrder {
                    set: set.name,
                    version: migration.version,
                    before,
                });
            }
            before = migration.version;
            let ours = checksum(migration.sql);
            match applied.get(&(set.name.to_owned(), migration.version)) {
                Some(theirs) if *theirs == ours => {}
                Some(theirs) => {
                    return Err(Error::MigrationEdited {
                        schema: schema.to_owned(),
                        set: set.name,
                        version: migration.version,
                        name: migration.name,
                        applied: hex(theirs),
                        ours: hex(&ours),
                    });
                }
                None => apply_one(connection, schema, set.name, migration, ours)
                    .await
                    .map_err(|source| Error::Migration {
                        schema: schema.to_owned(),
                        set: set.name,
                        version: migration.version,
                        name: migration.name,
                        source,
                    })?,
            }
        }
    }
    Ok(())
}

async fn apply_one(
    connection: &mut PgConnection,
    schema: &str,
    set: &str,
    migration: &Migration,
    checksum: Vec<u8>,
) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    let path = format!("SET LOCAL search_path TO \"{schema}\"");
    sqlx::raw_sql(AssertSqlSafe(path)).execute(&mut *tx).await?;
    sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
    let insert = format!(
        "INSERT INTO \"{schema}\".schema_migration (set_name, version, name, checksum) VALUES ($1, $2, $3, $4)"
    );
    sqlx::query(AssertSqlSafe(insert))
        .bind(set)
        .bind(migration.version)
        .bind(migration.name)
        .bind(checksum)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    tracing::info!(
        schema,
        set,
        version = migration.version,
        name = migration.name,
        "migration applied"
    );
    Ok(())
}
