use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::postgres::finish;
use super::process::{Process, Signal};
use super::tools::fetched;
use super::{Error, free_port, until_free};

const READY_WITHIN: Duration = Duration::from_mins(1);
/// Any 22 characters of base64 name a cluster.
const CLUSTER_ID: &str = "ZmVycmV4LXRlc3Qta2Fma2";

/// How a broker is run.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// Where it lives; formatted when it is not there.
    pub dir: PathBuf,
    /// Port on 127.0.0.1, `None` for a free one.
    pub port: Option<u16>,
    /// How long it may take to stop when our process is gone; 0 for a broker nobody keeps.
    pub grace_seconds: u32,
}

/// One Apache Kafka broker and controller (KRaft) in one process.
#[derive(Debug)]
pub struct KafkaServer {
    options: KafkaOptions,
    /// Lines of `server.properties` beside those of every broker; the last one of a name counts.
    more: String,
    port: u16,
    process: Option<Process>,
}

impl KafkaServer {
    /// Formats the directory if need be and starts the broker; returns when it takes connections.
    ///
    /// An open port is not yet a ready group coordinator: the first join may be answered "coordinator not
    /// available" once, which clients try again by themselves.
    pub async fn start(options: KafkaOptions) -> Result<Self, Error> {
        Self::start_with(options, String::new()).await
    }

    /// As [`KafkaServer::start`], with further lines of `server.properties`.
    pub async fn start_with(options: KafkaOptions, more: String) -> Result<Self, Error> {
        let port = options.port.unwrap_or_else(free_port);
        let mut server = Self {
            options,
            more,
            port,
            process: None,
        };
        server.format()?;
        server.start_again().await?;
        Ok(server)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it after [`KafkaServer::stop`] or [`KafkaServer::kill9`], on the same data and port.
    pub async fn start_again(&mut self) -> Result<(), Error> {
        until_free(self.port).await?;
        let mut command = java()?;
        command.args([
            "-Xms128m",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
        ]);
        command
            .arg("-cp")
            .arg(class_path()?)
            .arg("kafka.Kafka")
            .arg(self.properties_file());
        command.current_dir(&self.options.dir);
        let log = self.options.dir.join("kafka.log");
        let mut process = Process::spawn("kafka", command, &log, self.options.grace_seconds)?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port))
            .await
            .is_err()
        {
            process.still_starting(started, READY_WITHIN)?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Stops it in good order (SIGTERM).
    pub async fn stop(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM, Duration::from_secs(30)).await?;
        }
        Ok(())
    }

    /// Kills it (SIGKILL).
    pub async fn kill9(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.kill9().await?;
        }
        Ok(())
    }

    /// Freezes it (SIGSTOP): connections stay open and nothing answers.
    pub fn freeze(&self) -> Result<(), Error> {
        self.process
            .as_ref()
            .map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Ends a [`KafkaServer::freeze`].
    pub fn thaw(&self) -> Result<(), Error> {
        self.process
            .as_ref()
            .map_or(Ok(()), |process| process.signal(Signal::CONT))
    }

    /// Lets it write no file beyond this many bytes, as if the disk were full; no limit for a broker started again.
    pub fn limit_files(&self, bytes: u64) -> Result<(), Error> {
        self.process
            .as_ref()
            .map_or(Ok(()), |process| process.limit_files(bytes))
    }

    /// Removes all messages of a topic from the disk of a broker that is stopped, as if it had been replaced.
    pub fn lose(&self, topic: &str) -> Result<(), Error> {
        let data = self.options.dir.join("data");
        let failed = |error| Error::io(format!("removing {topic} from {}", data.display()))(error);
        for entry in std::fs::read_dir(&data).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let partition = name.to_str().and_then(|name| name.rsplit_once('-'));
            if partition.is_some_and(|(name, _)| name == topic) {
                std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn properties_file(&self) -> PathBuf {
        self.options.dir.join("server.properties")
    }

    fn format(&self) -> Result<(), Error> {
        let dir = &self.options.dir;
        let data = dir.join("data");
        if data.join("meta.properties").exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&data).map_err(Error::io(format!("creating {}", data.display())))?;
        let properties = properties(self.port, free_port(), &data) + &self.more;
        std::fs::write(self.properties_file(), properties).map_err(Error::io("writing server.properties"))?;
        let mut format = java()?;
        format
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
            .arg(class_path()?);
        format
            .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
            .arg(self.properties_file());
        finish("formatting Kafka's directory", &mut format)
    }
}

fn java() -> Result<Command, Error> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join("java").exists()));
    if found {
        Ok(Command::new("java"))
    } else {
        Err(Error::Missing {
            program: "java".into(),
            part: "kafka",
        })
    }
}

fn class_path() -> Result<PathBuf, Error> {
    Ok(fetched("kafka/lib", "kafka")?.join("*"))
}

/// Small, and without the pauses that make sense in a cluster only. A killed broker may not register again before
/// its session has run out, so that is short.
fn properties(port: u16, controller: u16, data: &Path) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
num.network.threads=1
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
",
        data.display()
    )
}
