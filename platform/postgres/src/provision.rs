use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::migrate::apply;
use crate::{Error, MigrationSet};

/// A service's schema: its name, its login role, what is in it.
#[derive(Clone, Copy, Debug)]
pub struct SchemaSpec {
    /// The schema; lower-case letters, digits and `_`.
    pub schema: &'static str,
    /// The login role that works in it and owns nothing; likewise.
    pub role: &'static str,
    /// What is in it, in this order.
    pub sets: &'static [&'static MigrationSet],
    /// Statements run after the role was granted SELECT, INSERT, UPDATE and DELETE on all tables, in the same transaction and with
    /// the schema as search path; mostly to take some of that away again.
    pub after_grants: &'static str,
}

/// Only one program provisions a database at a time, whatever the schema: roles belong to the whole server.
const PROVISION_LOCK: i64 = 0x4665_7272_6578_0001;

/// How often a change of a role is tried when another database of the same server changes it at the same moment.
const ROLE_ATTEMPTS: u32 = 20;

/// Creates or brings up to date a service's login role, schema, tables and grants, as the owning admin role.
///
/// Safe to run by many programs at once and again at each start. The role's password is set to `role_password` each time.
pub async fn provision(
    admin_url: &str,
    spec: &SchemaSpec,
    role_password: &SecretString,
) -> Result<(), Error> {
    let options = PgConnectOptions::from_str(admin_url)
        .map_err(Error::Address)?
        .application_name("ferrex migrate")
        .options([("client_min_messages", "warning")]);
    let mut connection = PgConnection::connect_with(&options)
        .await
        .map_err(Error::Connect)?;
    let result = provision_on(&mut connection, spec, role_password).await;
    // The advisory lock goes with the connection.
    let _ = connection.close().await;
    result
}

async fn provision_on(
    connection: &mut PgConnection,
    spec: &SchemaSpec,
    role_password: &SecretString,
) -> Result<(), Error> {
    let (schema, role) = (spec.schema, spec.role);
    let failed = |doing: &'static str| {
        move |source| Error::Provision {
            schema: schema.to_owned(),
            doing,
            source,
        }
    };
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(PROVISION_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(failed("waiting for the provisioning lock"))?;
    ensure_role(connection, role, role_password)
        .await
        .map_err(failed("creating the login role"))?;
    let create = format!(
        "CREATE SCHEMA IF NOT EXISTS \"{schema}\";
         REVOKE ALL ON SCHEMA \"{schema}\" FROM PUBLIC;"
    );
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&mut *connection)
        .await
        .map_err(failed("creating the schema"))?;
    apply(connection, schema, spec.sets).await?;
    grant(connection, spec).await.map_err(failed("granting rights"))
}

/// A role belongs to the server, not to the database, so the advisory lock does not keep other databases away from it.
async fn ensure_role(
    connection: &mut PgConnection,
    role: &str,
    password: &SecretString,
) -> Result<(), sqlx::Error> {
    // The server quotes name and password; nothing of ours is pasted into the statement.
    let (create, alter): (String, String) = sqlx::query_as(
        "SELECT format('CREATE ROLE %I', $1), \
                format('ALTER ROLE %I LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD %L', $1, $2)",
    )
    .bind(role)
    .bind(password.expose_secret())
    .fetch_one(&mut *connection)
    .await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(role)
            .fetch_one(&mut *connection)
            .await?;
        let statement = if exists {
            alter.clone()
        } else {
            format!("{create}; {alter}")
        };
        match sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) if attempt < ROLE_ATTEMPTS && is_lost_race(&error) => tokio::task::yield_now().await,
            Err(error) => return Err(error),
        }
    }
}

/// Another session created or changed the same role meanwhile: duplicate object, unique violation, or "tuple
/// concurrently updated", which has no code of its own.
fn is_lost_race(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|database| {
        matches!(database.code().as_deref(), Some("42710" | "23505"))
            || database.message().contains("tuple concurrently")
    })
}

async fn grant(connection: &mut PgConnection, spec: &SchemaSpec) -> Result<(), sqlx::Error> {
    let (schema, role) = (spec.schema, spec.role);
    let database: String = sqlx::query_scalar("SELECT format('%I', current_database())")
        .fetch_one(&mut *connection)
        .await?;
    // Only rows of the own schema; no TRUNCATE, no REFERENCES, no objects of its own anywhere.
    let grants = format!(
        "SET LOCAL search_path TO \"{schema}\";
         REVOKE ALL ON DATABASE {database} FROM PUBLIC;
         GRANT CONNECT ON DATABASE {database} TO \"{role}\";
         REVOKE ALL ON SCHEMA public FROM PUBLIC;
         REVOKE ALL ON SCHEMA \"{schema}\" FROM \"{role}\";
         GRANT USAGE ON SCHEMA \"{schema}\" TO \"{role}\";
         REVOKE ALL ON ALL TABLES IN SCHEMA \"{schema}\" FROM PUBLIC, \"{role}\";
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{role}\";
         REVOKE INSERT, UPDATE, DELETE ON \"{schema}\".schema_migration FROM \"{role}\";
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA \"{schema}\" TO \"{role}\";
         REVOKE ALL ON ALL ROUTINES IN SCHEMA \"{schema}\" FROM PUBLIC;
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA \"{schema}\" TO \"{role}\";"
    );
    let mut tx = connection.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(grants)).execute(&mut *tx).await?;
    if !spec.after_grants.is_empty() {
        sqlx::raw_sql(spec.after_grants).execute(&mut *tx).await?;
    }
    tx.commit().await
}
