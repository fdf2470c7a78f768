use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

use crate::Error;

/// An open transaction. Dropped without `commit`, it is rolled back.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// Where the database is, as whom to log in, and how patient to be.
#[derive(Clone, Debug)]
pub struct DbConfig {
    /// `postgres://host:port/database`, or `postgres:///database?host=/socket/directory&port=5432`.
    pub url: String,
    /// The service's login role.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// The service's schema; unqualified names are looked up in it and nowhere else.
    pub schema: String,
    /// Most connections held at once.
    pub max_connections: u32,
    /// How long to wait for a free or new connection.
    pub acquire_timeout: Duration,
    /// After which the server ends a statement.
    pub statement_timeout: Duration,
    /// After which the server ends a wait for a lock.
    pub lock_timeout: Duration,
    /// After which the server ends a transaction that does nothing.
    pub idle_in_transaction_timeout: Duration,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
}

impl DbConfig {
    /// A configuration with the usual patience: 10 connections, 5 s for a connection and for a lock, 30 s for a statement.
    pub fn new(
        url: impl Into<String>,
        user: impl Into<String>,
        password: SecretString,
        schema: impl Into<String>,
    ) -> Self {
        let (user, schema) = (user.into(), schema.into());
        Self {
            url: url.into(),
            password,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_mins(1),
            application_name: format!("ferrex {schema}"),
            user,
            schema,
        }
    }
}

/// For so long after its last use a connection is lent without asking the server whether it lives: a server that was stopped
/// needs longer to come again, and each question is a round trip beside the one that is wanted.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_millis(20);

/// A pool of connections bound to one service's role and schema.
#[derive(Clone, Debug)]
pub struct Db {
    pool: sqlx::PgPool,
}

impl Db {
    /// Prepares the pool. Connections are made when they are needed and again after the server was away; use
    /// [`Db::ping`] to learn whether it is there now.
    #[expect(
        clippy::unused_async,
        reason = "connecting is async for callers; that it is lazy is this crate's matter"
    )]
    pub async fn connect(config: &DbConfig) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(&config.url)
            .map_err(Error::Address)?
            .username(&config.user)
            .password(config.password.expose_secret())
            .application_name(&config.application_name)
            .options([
                ("search_path", config.schema.clone()),
                (
                    "statement_timeout",
                    config.statement_timeout.as_millis().to_string(),
                ),
                ("lock_timeout", config.lock_timeout.as_millis().to_string()),
                (
                    "idle_in_transaction_session_timeout",
                    config.idle_in_transaction_timeout.as_millis().to_string(),
                ),
                // To compile a statement takes longer than any of ours takes.
                ("jit", "off".to_owned()),
                // A COMMIT whose caller was dropped is followed by a ROLLBACK, which would bring a warning.
                ("client_min_messages", "error".to_owned()),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.acquire_timeout)
            .idle_timeout(Duration::from_mins(10))
            .test_before_acquire(false)
            .before_acquire(|connection, lent_before| {
                Box::pin(async move {
                    if lent_before.idle_for < TRUSTED_FOR {
                        return Ok(true);
                    }
                    // Failing here drops the connection, and the pool takes or makes another, so a restarted server costs no
                    // caller an error.
                    match connection.ping().await {
                        Ok(()) => Ok(true),
                        Err(error) => {
                            tracing::debug!(%error, "dropping a database connection that broke while idle");
                            Ok(false)
                        }
                    }
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Begins a transaction. The only place that does.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let pool = self.pool.clone();
        // F79: in a task of its own, which goes on to the end of BEGIN when the caller is dropped; then the transaction that
        // nobody wants is dropped, and rolled back.
        #[expect(clippy::disallowed_methods, reason = "nothing cancels this begin")]
        let beginning = tokio::spawn(async move { pool.begin().await });
        let ended = beginning.await.map_err(|_| sqlx::Error::WorkerCrashed);
        ended.flatten().map_err(Error::Begin)
    }

    /// Opens a connection beside the pool's: for what takes long, or leaves a connection in a state that nobody else shall meet.
    pub async fn own_connection(&self) -> Result<PgConnection, Error> {
        let connection = self.pool.acquire().await.map_err(Error::Connect)?;
        Ok(connection.detach())
    }

    /// The pool, for single statements.
    pub fn pool(&self) -> &sqlx::PgPool {
        &self.pool
    }

    /// Whether the server answers.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::raw_sql("SELECT 1")
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(Error::Connect)
    }

    /// Waits for borrowed connections to come back and closes all.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
