use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnection;
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use crate::servers::{Error, PostgresOptions, PostgresServer, PostgresUse, must, remove_at_end};

/// Password of the cluster's roles; the clusters are reachable from this machine only and live for minutes.
const PASSWORD: &str = "ferrex-test";

/// A private PostgreSQL cluster of this test process.
///
/// It takes 300 connections, so that many tests with a pool each run side by side. `fsync` is off (a crash of
/// PostgreSQL is survived, a crash of the machine is not) except in [`Postgres::durable`].
pub struct Postgres {
    server: Mutex<PostgresServer>,
    port: u16,
    databases: AtomicU32,
    templates: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
    // Dropped after the server; `remove_at_end` covers the statics, which are never dropped.
    _dir: TempDir,
}

/// A database of a test's own, empty or a copy of a template.
#[derive(Clone, Debug)]
pub struct TestDb {
    /// Its name.
    pub name: String,
    /// The cluster's port on 127.0.0.1.
    pub port: u16,
    /// Where the role `ferrex_owner` logs in, which owns the database and may create roles: for migrations.
    pub admin_url: String,
    /// The same database without user and password: for the services' own roles.
    pub url: String,
    /// Where a superuser logs in: for attacks and for looking at what others may not see.
    pub superuser_url: String,
}

impl TestDb {
    fn new(name: String, port: u16) -> Self {
        let url = |login: &str| format!("postgres://{login}127.0.0.1:{port}/{name}");
        Self {
            port,
            admin_url: url(&format!("{}:{PASSWORD}@", PostgresServer::OWNER)),
            url: url(""),
            superuser_url: url(&format!("postgres:{PASSWORD}@")),
            name,
        }
    }

    /// The same database as reached through another port, such as a [`crate::Proxy`]'s.
    #[must_use]
    pub fn via(&self, port: u16) -> Self {
        Self::new(self.name.clone(), port)
    }
}

impl Postgres {
    /// The cluster that all tests of this process share; the first call starts it.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A cluster of the caller's own, for tests that stop or kill it.
    pub async fn start() -> Self {
        Self::launch(PostgresUse::Tests).await
    }

    /// As [`Postgres::start`], with `fsync` on, for tests of what a crash leaves.
    pub async fn durable() -> Self {
        Self::launch(PostgresUse::Development).await
    }

    /// As [`Postgres::durable`], with memory and room for its log as an operator gives it, for benchmarks.
    pub async fn for_load() -> Self {
        Self::launch(PostgresUse::Load).await
    }

    async fn launch(used_for: PostgresUse) -> Self {
        let dir = temp_dir("pg");
        let options = PostgresOptions {
            dir: dir.path().to_owned(),
            port: None,
            used_for,
            max_connections: 300,
            password: PASSWORD.into(),
            grace_seconds: 0,
        };
        let server = must(PostgresServer::start(options).await);
        Self {
            port: server.port(),
            server: Mutex::new(server),
            databases: AtomicU32::new(0),
            templates: Mutex::default(),
            _dir: dir,
        }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// An empty database.
    pub async fn fresh_database(&self) -> TestDb {
        let name = self.next_name();
        must(self.server.lock().await.create_database(&name, None).await);
        TestDb::new(name, self.port)
    }

    /// A copy of the template `template`, which `prepare` fills the first time it is asked for.
    ///
    /// `prepare` must close its connections before it returns, for PostgreSQL copies only what nobody is
    /// connected to. Roles belong to the cluster and not to the database: what `prepare` creates of them is there
    /// for every test of the process.
    pub async fn database_from<Fut>(&self, template: &str, prepare: impl FnOnce(TestDb) -> Fut) -> TestDb
    where
        Fut: Future<Output = ()>,
    {
        let name = format!("template_{template}");
        let once = Arc::clone(self.templates.lock().await.entry(name.clone()).or_default());
        once.get_or_init(|| async {
            must(self.server.lock().await.create_database(&name, None).await);
            prepare(TestDb::new(name.clone(), self.port)).await;
            must(self.close_connections(&name).await);
        })
        .await;
        let copy = self.next_name();
        must(self.server.lock().await.create_database(&copy, Some(&name)).await);
        TestDb::new(copy, self.port)
    }

    /// A superuser's connection to a database.
    pub async fn superuser(&self, db: &TestDb) -> PgConnection {
        must(self.server.lock().await.connect(&db.name).await)
    }

    /// Stops the cluster in good order.
    pub async fn stop(&self) {
        must(self.server.lock().await.stop().await);
    }

    /// Stops the cluster at once, as `pg_ctl stop -m immediate` does.
    pub async fn stop_at_once(&self) {
        must(self.server.lock().await.stop_at_once().await);
    }

    /// Kills the postmaster with SIGKILL and waits until its backends are gone.
    pub async fn kill9(&self) {
        must(self.server.lock().await.kill9().await);
    }

    /// Starts the cluster again on the same data and port.
    pub async fn start_again(&self) {
        must(self.server.lock().await.start_again().await);
    }

    fn next_name(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }

    async fn close_connections(&self, database: &str) -> Result<(), Error> {
        let mut connection = self.server.lock().await.connect("postgres").await?;
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(database)
            .execute(&mut connection)
            .await
            .map(drop)
            .map_err(Error::refused("closing a template's connections"))
    }
}

/// A short path (a Unix socket's has 107 bytes at most) that is removed with the value, or with the process.
pub(crate) fn temp_dir(kind: &str) -> TempDir {
    let dir = tempfile::Builder::new()
        .prefix(&format!("ferrex-{kind}-"))
        .tempdir();
    let dir = dir.expect("the temporary directory is writable");
    remove_at_end(dir.path());
    debug_assert!(
        Path::new(dir.path()).is_absolute(),
        "servers run in directories of their own"
    );
    dir
}
