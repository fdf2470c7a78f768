use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};

use super::process::{Process, Signal};
use super::tools::{PostgresUser, as_postgres, postgres_programs};
use super::{Error, free_port, until_free};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// What a cluster is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresUse {
    /// Small, and without `fsync`: a crash of PostgreSQL is survived, a crash of the machine is not.
    Tests,
    /// Small; an acknowledged commit survives a crash of the machine.
    Development,
    /// As [`PostgresUse::Development`], with memory and room for its log as an operator gives it for load.
    Load,
}

/// How a cluster is run.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Where it lives; made when it is not there.
    pub dir: PathBuf,
    /// Port on 127.0.0.1, `None` for a free one.
    pub port: Option<u16>,
    /// What it is for.
    pub used_for: PostgresUse,
    /// Connections it takes.
    pub max_connections: u16,
    /// Password of the roles `postgres` and [`PostgresServer::OWNER`].
    pub password: String,
    /// How long it may take to stop when our process is gone; 0 for a cluster nobody keeps.
    pub grace_seconds: u32,
}

/// One private PostgreSQL cluster: own directory, socket and port.
#[derive(Debug)]
pub struct PostgresServer {
    options: PostgresOptions,
    programs: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl PostgresServer {
    /// The role that owns databases and schemas: it may create roles and databases, and is no superuser.
    pub const OWNER: &'static str = "ferrex_owner";

    /// Makes the cluster if need be and starts it; returns when it takes connections.
    pub async fn start(options: PostgresOptions) -> Result<Self, Error> {
        let programs = postgres_programs()?;
        let port = options.port.unwrap_or_else(free_port);
        let mut server = Self {
            options,
            programs,
            port,
            process: None,
        };
        server.init()?;
        server.start_again().await?;
        server.bootstrap().await?;
        Ok(server)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its Unix socket is.
    pub fn socket_dir(&self) -> PathBuf {
        self.options.dir.join("socket")
    }

    /// Starts it after [`PostgresServer::stop`] or [`PostgresServer::kill9`], on the same data and port.
    pub async fn start_again(&mut self) -> Result<(), Error> {
        // Those of an earlier process may be on their way out.
        self.backends_gone().await?;
        until_free(self.port).await?;
        let user = PostgresUser::needed()?;
        let mut command = as_postgres(user.as_ref(), &self.programs.join("postgres"));
        command
            .arg("-D")
            .arg(self.data_dir())
            .arg("-k")
            .arg(self.socket_dir())
            .arg("-p")
            .arg(self.port.to_string());
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        command.current_dir("/");
        let log = self.options.dir.join("postgres.log");
        let mut process = Process::spawn("postgres", command, &log, self.options.grace_seconds)?;
        let started = Instant::now();
        while self.connect("postgres").await.is_err() {
            process.still_starting(started, READY_WITHIN)?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Stops it in good order (SIGINT: open transactions are rolled back, a checkpoint is written).
    pub async fn stop(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::INT, Duration::from_secs(20)).await?;
        }
        self.backends_gone().await
    }

    /// Stops it at once (SIGQUIT, an immediate shutdown): nothing is written any more, the next start recovers.
    pub async fn stop_at_once(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::QUIT, Duration::from_secs(20)).await?;
        }
        self.backends_gone().await
    }

    /// Kills the postmaster (SIGKILL) and waits until its backends are gone too, for it could not start before.
    pub async fn kill9(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.kill9().await?;
        }
        self.backends_gone().await
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.process
            .as_mut()
            .is_none_or(|process| process.ended().is_some())
    }

    /// A superuser's connection to a database, over the socket.
    pub async fn connect(&self, database: &str) -> Result<PgConnection, Error> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.socket_dir())
            .port(self.port)
            .username("postgres")
            .database(database);
        PgConnection::connect_with(&options)
            .await
            .map_err(Error::refused("connecting to PostgreSQL"))
    }

    /// Creates a database that [`Self::OWNER`] owns, as a copy of `template` when one is named, unless it exists.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), Error> {
        let mut connection = self.connect("postgres").await?;
        let exists: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
            .bind(name)
            .fetch_optional(&mut connection)
            .await
            .map_err(Error::refused("listing databases"))?;
        if exists.is_some() {
            return Ok(());
        }
        let template = template.unwrap_or("template1");
        let sql = format!(
            "CREATE DATABASE \"{name}\" OWNER {} TEMPLATE \"{template}\"",
            Self::OWNER
        );
        run(&mut connection, &sql).await?;
        if template == "template1" {
            // A schema of everybody's own, and nothing in it: services create objects in their own schemas only.
            let mut inside = self.connect(name).await?;
            run(
                &mut inside,
                &format!("ALTER SCHEMA public OWNER TO {}", Self::OWNER),
            )
            .await?;
        }
        Ok(())
    }

    fn data_dir(&self) -> PathBuf {
        self.options.dir.join("data")
    }

    fn settings(&self) -> Vec<String> {
        let on = match self.options.used_for {
            PostgresUse::Tests => "off",
            PostgresUse::Development | PostgresUse::Load => "on",
        };
        let room: &[&str] = match self.options.used_for {
            PostgresUse::Tests | PostgresUse::Development => &["shared_buffers=64MB", "max_wal_size=512MB"],
            // docs/PERFORMANCE.md says why.
            PostgresUse::Load => &[
                "shared_buffers=1GB",
                "min_wal_size=2GB",
                "max_wal_size=8GB",
                "checkpoint_timeout=15min",
                "wal_compression=lz4",
            ],
        };
        let mut settings = vec![
            "listen_addresses=127.0.0.1".into(),
            format!("max_connections={}", self.options.max_connections),
            format!("fsync={on}"),
            format!("full_page_writes={on}"),
            "synchronous_commit=on".into(),
            "log_line_prefix=%m [%p] %q%u@%d ".into(),
            "timezone=UTC".into(),
            "log_timezone=UTC".into(),
        ];
        settings.extend(room.iter().map(|setting| (*setting).to_owned()));
        settings
    }

    /// `initdb`, unless there is a cluster already. It is made beside its place and moved there when whole, so that
    /// an interrupted start leaves nothing half made.
    fn init(&self) -> Result<(), Error> {
        let user = PostgresUser::needed()?;
        let dir = &self.options.dir;
        for made in [dir, &self.socket_dir()] {
            std::fs::create_dir_all(made).map_err(Error::io(format!("creating {}", made.display())))?;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(made, private).map_err(Error::io("closing a directory to others"))?;
            own(made, user.as_ref())?;
        }
        if self.data_dir().join("PG_VERSION").exists() {
            return Ok(());
        }
        let fresh = dir.join("data.new");
        let _ = std::fs::remove_dir_all(&fresh);
        let mut initdb = as_postgres(user.as_ref(), &self.programs.join("initdb"));
        initdb.arg("--pgdata").arg(&fresh);
        initdb.args([
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ]);
        // Only who may enter the socket's directory comes in without a password.
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        if self.options.used_for == PostgresUse::Tests {
            initdb.arg("--no-sync");
        }
        finish("initdb", &mut initdb)?;
        std::fs::rename(&fresh, self.data_dir()).map_err(Error::io("putting the new cluster in its place"))
    }

    /// Roles and passwords; the same every time.
    async fn bootstrap(&self) -> Result<(), Error> {
        let mut connection = self.connect("postgres").await?;
        let owner = Self::OWNER;
        let password = self.options.password.replace('\'', "''");
        let sql = format!(
            "DO $$ BEGIN
               IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{owner}') THEN
                 CREATE ROLE {owner} LOGIN CREATEROLE CREATEDB;
               END IF;
             END $$;
             ALTER ROLE {owner} PASSWORD '{password}';
             ALTER ROLE postgres PASSWORD '{password}';"
        );
        run(&mut connection, &sql).await
    }

    /// Waits until no process of the cluster is left.
    async fn backends_gone(&self) -> Result<(), Error> {
        let data = self.data_dir();
        let started = Instant::now();
        while works_in(&data) {
            if started.elapsed() > READY_WITHIN {
                let seconds = READY_WITHIN.as_secs();
                return Err(Error::NotReady {
                    name: "the end of PostgreSQL".into(),
                    seconds,
                    log: String::new(),
                });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// Runs statements that hold names of ours, never anything from outside.
async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), Error> {
    connection
        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
        .map_err(Error::refused("preparing PostgreSQL"))
}

fn own(path: &Path, user: Option<&PostgresUser>) -> Result<(), Error> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid)).map_err(Error::io("giving a directory to postgres"))
}

/// Whether any process works in this directory (PostgreSQL's do in their data directory).
fn works_in(dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == dir))
}

/// Runs a short-lived program to its end.
pub(crate) fn finish(name: &str, command: &mut Command) -> Result<(), Error> {
    let output = command
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!(
            "running {name} ({})",
            command.get_program().display()
        )))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Err(Error::Ended {
        name: name.to_owned(),
        status: output.status.to_string(),
        log: log.into_owned(),
    })
}
