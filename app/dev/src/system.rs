//! Starts everything in order, stops it in the reverse order, and lets tests kill and restart single processes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ferrex_runtime::CancellationToken;
use ferrex_sandbox::identity::IdentityProvider;
use ferrex_sandbox::{SenderConfig, WebhookSender};
use ferrex_testkit::MailCatcher;
use ferrex_testkit::servers::{
    AnvilOptions, AnvilServer, DEV_ACCOUNTS, KafkaOptions, KafkaServer, PostgresOptions, PostgresServer,
    Process, Signal, free_port, postgres_can_reach,
};
use ferrex_time::SystemClock;
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::ingress::Ingress;
use crate::pair::{Control, STANDBY};
use crate::plan::{Carrier, Plan, ROLES, Shape};
use crate::secrets::Secrets;
use crate::settings::{Addresses, text};
use crate::surroundings::Surroundings;
use crate::{chain, mail_page};

/// Database of all schemas.
pub(crate) const DATABASE: &str = "ferrex";
/// How long processes may take to become ready.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// How long a process may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// One `ferrex` process.
struct Running {
    process: Process,
    log: PathBuf,
    /// Length of the log before this start.
    log_before: u64,
    operations: u16,
}

/// Everything that runs. Dropped, it ends too.
pub struct System {
    plan: Plan,
    /// The database server.
    pub postgres: PostgresServer,
    /// The chain.
    pub chain: AnvilServer,
    /// The mail catcher.
    pub mails: Arc<MailCatcher>,
    /// The broker, when the plan has one.
    pub kafka: Option<KafkaServer>,
    identity: WebhookSender,
    config: PathBuf,
    token: String,
    /// Where the engine processes listen, as [`Plan::engines`] names them.
    pub(crate) engines: Vec<String>,
    pub(crate) control: Option<Control>,
    processes: BTreeMap<String, Running>,
    pub(crate) stop_pages: CancellationToken,
    setup_link: Option<String>,
}

impl System {
    /// Starts everything and returns when it is ready. Prints what it does, a line a step.
    pub async fn start(plan: Plan) -> anyhow::Result<Self> {
        private_dir(&plan.data.join("logs"))?;
        let secrets = secrets(&plan)?;
        let ports = plan.ports.clone();
        let grace_seconds = if plan.keep { 10 } else { 0 };
        let postgres = PostgresServer::start(PostgresOptions {
            dir: postgres_dir(&plan.data)?,
            port: Some(ports.postgres),
            used_for: plan.postgres,
            max_connections: 300,
            password: secrets.read("owner_password")?,
            grace_seconds,
        })
        .await?;
        if postgres.connect(DATABASE).await.is_err() {
            postgres.create_database(DATABASE, None).await?;
        }
        let chain = AnvilServer::start(AnvilOptions {
            dir: plan.data.join("chain"),
            port: Some(ports.chain),
            block_seconds: Some(1),
            keep_state: plan.keep,
            grace_seconds,
        })
        .await?;
        let token = chain::ensure_token(&chain).await?;
        let kafka = match plan.carrier {
            Carrier::Embedded => None,
            Carrier::Kafka => {
                let dir = plan.data.join("kafka");
                Some(
                    KafkaServer::start(KafkaOptions {
                        dir,
                        port: None,
                        grace_seconds,
                    })
                    .await?,
                )
            }
        };
        let mails = Arc::new(MailCatcher::start_on(ports.smtp).await?);
        let stop_pages = CancellationToken::new();
        serve(ports.mail_page, mail_page::router(mails.clone()), &stop_pages).await?;
        let identity = start_identity(&plan, &secrets, &stop_pages).await?;

        let brokers = kafka.as_ref().map(|kafka| format!("127.0.0.1:{}", kafka.port()));
        let engines: Vec<String> = plan
            .engines()
            .iter()
            .map(|_| format!("127.0.0.1:{}", free_port()))
            .collect();
        let addresses = Addresses {
            brokers: brokers.as_deref(),
            token: &token,
            engines: &engines,
        };
        let config = plan.data.join("ferrex.toml");
        std::fs::write(&config, text(&plan, &secrets, &addresses))?;
        let mut system = Self {
            plan,
            postgres,
            chain,
            mails,
            kafka,
            identity,
            config,
            token,
            engines,
            control: None,
            processes: BTreeMap::new(),
            stop_pages,
            setup_link: None,
        };
        system.offer_control().await?;
        system.migrate()?;
        system.start_processes().await?;
        system.write_surroundings()?;
        Ok(system)
    }

    /// The settings file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The plan it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs a subcommand of `ferrex` with these settings and returns its output; a failure is an error with the output.
    pub fn ferrex(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.plan.ferrex)
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "ferrex {} failed: {text}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(text)
    }

    fn migrate(&self) -> anyhow::Result<()> {
        self.ferrex(&["migrate"]).map(drop)
    }

    async fn start_processes(&mut self) -> anyhow::Result<()> {
        match self.plan.shape {
            Shape::One => {
                self.start_process("all", &[]).await?;
                self.wait_ready("all").await?;
            }
            Shape::Split | Shape::Standby => {
                for role in self.plan.processes() {
                    self.start_process(role, &[]).await?;
                }
                for role in self.plan.processes() {
                    self.wait_ready(role).await?;
                }
                let bases: Vec<_> = ["core", "payment", "webhooks"]
                    .map(|role| self.public_of(role))
                    .into();
                let ingress = Ingress::learn(&bases).await?;
                serve(self.plan.ports.public, ingress.router(), &self.stop_pages).await?;
            }
        }
        self.setup_link = self.find_setup_link().await?;
        Ok(())
    }

    /// Starts a process: `all`, or a role of the split shape, with variables of the environment on top. Does not wait
    /// until it is ready.
    #[expect(
        clippy::unused_async,
        reason = "starting is async for callers, as stopping is"
    )]
    pub async fn start_process(&mut self, name: &str, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        let log = self.plan.data.join("logs").join(format!("{name}.log"));
        let mut command = Command::new(&self.plan.ferrex);
        command.arg("--config").arg(&self.config).arg("run");
        let mut operations = self.plan.ports.operations;
        if name != "all" {
            operations = self
                .processes
                .get(name)
                .map_or_else(free_port, |running| running.operations);
            command.args(["--role", if name == STANDBY { "engine" } else { name }]);
            if name == STANDBY {
                command.env("FERREX__ENGINE__LISTEN", &self.engines[1]);
            }
            command.env("FERREX__LISTEN__OPERATIONS", format!("127.0.0.1:{operations}"));
            command.env(
                "FERREX__LISTEN__PUBLIC",
                self.public_of(name).replace("http://", ""),
            );
        }
        command.envs(environment.iter().copied());
        let log_before = std::fs::metadata(&log).map_or(0, |file| file.len());
        let process = Process::spawn(name, command, &log, 10)?;
        self.processes.insert(
            name.to_owned(),
            Running {
                process,
                log,
                log_before,
                operations,
            },
        );
        Ok(())
    }

    /// Waits until `/readyz` of a process says so.
    pub async fn wait_ready(&mut self, name: &str) -> anyhow::Result<()> {
        let url = format!("{}/readyz", self.operations_of(name)?);
        let client = reqwest::Client::new();
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        let mut last = String::new();
        while tokio::time::Instant::now() < deadline {
            let running = self.processes.get_mut(name).context("no such process")?;
            if let Some(status) = running.process.ended() {
                bail!(
                    "process {name} ended with {status}:\n{}",
                    running.process.log_end()
                );
            }
            match client.get(&url).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => last = answer.text().await.unwrap_or_default(),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("process {name} is not ready after {READY_WITHIN:?}: {last}")
    }

    /// Waits until a process has ended by itself, as at a kill point.
    pub async fn wait_ended(&mut self, name: &str, within: Duration) -> anyhow::Result<()> {
        let running = self.processes.get_mut(name).context("no such process")?;
        tokio::time::timeout(within, running.process.wait())
            .await
            .map(drop)
            .with_context(|| format!("process {name} still runs after {within:?}"))
    }

    /// Kills a process (SIGKILL).
    pub async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let running = self.processes.get_mut(name).context("no such process")?;
        Ok(running.process.kill9().await?)
    }

    /// Stops a process in good order (SIGTERM).
    pub async fn stop_process(&mut self, name: &str) -> anyhow::Result<()> {
        let running = self.processes.get_mut(name).context("no such process")?;
        running.process.stop(Signal::TERM, GRACE).await?;
        Ok(())
    }

    /// Names of the `ferrex` processes.
    pub fn process_names(&self) -> Vec<String> {
        self.processes.keys().cloned().collect()
    }

    /// The operations address of a process.
    pub fn operations_of(&self, name: &str) -> anyhow::Result<String> {
        let running = self
            .processes
            .get(name)
            .with_context(|| format!("no process {name}"))?;
        Ok(format!("http://127.0.0.1:{}", running.operations))
    }

    /// The process id of a process.
    pub fn pid_of(&self, name: &str) -> anyhow::Result<u32> {
        Ok(self
            .processes
            .get(name)
            .with_context(|| format!("no process {name}"))?
            .process
            .pid())
    }

    /// Where the demo and scripts find everything.
    pub fn surroundings(&self) -> Surroundings {
        let local = |port| format!("http://127.0.0.1:{port}");
        let ports = &self.plan.ports;
        Surroundings {
            public: local(ports.public),
            admin: local(ports.admin),
            operations: self
                .processes
                .values()
                .map(|running| local(running.operations))
                .collect(),
            mail: local(ports.mail_page),
            chain_rpc: self.chain.url(),
            payer: DEV_ACCOUNTS[0].address.to_owned(),
            token: self.token.clone(),
            identity: local(ports.identity),
            config: self.config.clone(),
            setup_link: self.setup_link.clone(),
            staff_file: self.plan.data.join("demo-staff.json"),
            control: self.control.as_ref().map(|control| control.address.clone()),
        }
    }

    /// The file with [`System::surroundings`].
    pub fn surroundings_file(&self) -> PathBuf {
        self.plan.data.join("surroundings.json")
    }

    fn write_surroundings(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(
            self.surroundings_file(),
            serde_json::to_string_pretty(&self.surroundings())?,
        )?)
    }

    /// Stops everything that was started, `ferrex` first.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for running in self.processes.values() {
            // One that has ended by itself needs no signal.
            let _ = running.process.signal(Signal::TERM);
        }
        for running in self.processes.values_mut() {
            running.process.stop(Signal::TERM, GRACE).await?;
        }
        self.stop_pages.cancel();
        self.identity.stop().await;
        self.mails.stop();
        if let Some(kafka) = &mut self.kafka {
            kafka.stop().await?;
        }
        self.chain.stop().await?;
        self.postgres.stop().await?;
        Ok(())
    }

    /// The names of processes that ended by themselves.
    pub fn ended(&mut self) -> Vec<String> {
        let ended = self
            .processes
            .iter_mut()
            .filter_map(|(name, running)| running.process.ended().map(|_| name.clone()));
        ended.collect()
    }

    /// In the split shape each role has a listener of its own behind the ingress.
    fn public_of(&self, name: &str) -> String {
        let place = ROLES.iter().position(|role| *role == name).unwrap_or(ROLES.len());
        format!("http://127.0.0.{}:{}", place + 2, self.plan.ports.public)
    }

    /// The admin process prints the link when there is no staff yet.
    async fn find_setup_link(&self) -> anyhow::Result<Option<String>> {
        const MARK: &str = "set-up link: ";
        const NONE: &str = "staff accounts exist";
        let running = self
            .processes
            .get("all")
            .or_else(|| self.processes.get("admin"))
            .context("no admin process")?;
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        while tokio::time::Instant::now() < deadline {
            let log = std::fs::read(&running.log)?;
            let since_start = usize::try_from(running.log_before)
                .ok()
                .and_then(|before| log.get(before..));
            let said = String::from_utf8_lossy(since_start.unwrap_or_default()).into_owned();
            let last = said
                .lines()
                .find(|line| line.contains(MARK) || line.contains(NONE));
            if let Some(line) = last {
                return Ok(line.split_once(MARK).map(|(_, link)| link.trim().to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the admin role said nothing about its first staff account")
    }
}

/// PostgreSQL refuses to run as root, and its own user may not be able to reach the data directory: then the cluster is
/// kept where it can, with a link to it.
fn postgres_dir(data: &Path) -> anyhow::Result<PathBuf> {
    let wanted = data.join("postgres");
    if postgres_can_reach(data)? {
        return Ok(wanted);
    }
    let name = data.to_string_lossy().replace('/', "_");
    let kept = Path::new("/var/lib/ferrex-dev")
        .join(name.trim_matches('_'))
        .join("postgres");
    std::fs::create_dir_all(&kept).with_context(|| format!("creating {}", kept.display()))?;
    if !wanted.exists() {
        std::os::unix::fs::symlink(&kept, &wanted)
            .with_context(|| format!("linking {}", wanted.display()))?;
    }
    Ok(kept)
}

/// A directory that only its owner reads: the logs hold the one-time link.
fn private_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

fn secrets(plan: &Plan) -> anyhow::Result<Secrets> {
    Secrets::ensure(&plan.data.join("secrets"), &ROLES, plan.ports.postgres)
}

async fn start_identity(
    plan: &Plan,
    secrets: &Secrets,
    stop: &CancellationToken,
) -> anyhow::Result<WebhookSender> {
    let url = format!("http://127.0.0.1:{}/webhooks/identity", plan.ports.public);
    let secret = SecretString::from(secrets.read("identity_secret")?);
    let sender = WebhookSender::try_new(SenderConfig::new(url, secret), SystemClock::shared())?;
    let provider = IdentityProvider::new(sender.clone(), SystemClock::shared());
    serve(plan.ports.identity, provider.router(), stop).await?;
    Ok(sender)
}

pub(crate) async fn serve(port: u16, router: axum::Router, stop: &CancellationToken) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}"))?;
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
    });
    Ok(())
}
