//! exchange-core in a JVM of its own, with its risk engine on. What it is fed with is played a few times before, so that its code
//! is compiled.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};

use anyhow::{Context as _, ensure};
use ferrex_matching::Side;
use tempfile::TempDir;

use super::Prepared;
use super::stream::{Command, MIDDLE, PEOPLE, Stream, Totals};
use crate::program::{finish, on_core};

/// How often the stream is played before the first measurement.
const WARM: &str = "5";
/// What its libraries reach into and Java 17 keeps closed.
const OPEN: [&str; 8] = [
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/sun.nio.ch",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
];

/// A JVM that has read a stream.
pub(super) struct ExchangeCore {
    jvm: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    _dir: TempDir,
}

impl ExchangeCore {
    /// Fetches what is missing, compiles, starts and warms up. Its pipeline of threads has one core, or all there are.
    pub fn start(stream: &Stream, core: Option<usize>) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("stream");
        fs::write(&file, written(stream)?)?;
        let (jars, classes) = (jars()?, dir.path().join("classes"));
        let jars = format!("{}/*", jars.display());
        let source = source().join("Peer.java");
        finish(
            Program::new("javac")
                .args(["-cp", &jars, "-d"])
                .arg(&classes)
                .arg(source),
        )?;
        let mut jvm = on_core(core, Path::new("java"))
            .args(OPEN.map(|package| format!("--add-opens={package}=ALL-UNNAMED")))
            .args(["-Xms2g", "-Xmx2g", "-XX:+UseParallelGC", "-cp"])
            .arg(format!("{jars}:{}", classes.display()))
            .arg("Peer")
            .arg(&file)
            .arg(WARM)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting java")?;
        let to = jvm.stdin.take().context("it has a standard input")?;
        let from = BufReader::new(jvm.stdout.take().context("it has a standard output")?);
        let mut started = Self {
            jvm,
            to,
            from,
            _dir: dir,
        };
        started.hear("ready")?;
        started.signal("STOP")?;
        Ok(started)
    }

    /// While it is not its turn it stands still, for its threads look for work without rest.
    fn signal(&self, name: &str) -> anyhow::Result<()> {
        finish(
            Program::new("kill")
                .arg(format!("-{name}"))
                .arg(self.jvm.id().to_string()),
        )
    }

    /// Fills the book of an empty exchange.
    pub fn prepare(&mut self) -> anyhow::Result<&mut Self> {
        self.signal("CONT")?;
        writeln!(self.to, "prepare")?;
        self.hear("prepared")?;
        Ok(self)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.from.read_line(&mut line)? > 0, "exchange-core has ended");
        Ok(line.trim().to_owned())
    }

    /// Its libraries say things of their own before it does.
    fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        while self.line()? != word {}
        Ok(())
    }
}

impl Prepared for &mut ExchangeCore {
    fn run(&mut self) -> anyhow::Result<Totals> {
        writeln!(self.to, "run")?;
        let line = self.line()?;
        self.signal("STOP")?;
        let mut words = line.split(' ');
        let mut next = || words.next().with_context(|| format!("exchange-core said {line}"));
        Ok(Totals {
            trades: next()?.parse()?,
            lots: next()?.parse()?,
            turnover: next()?.parse()?,
        })
    }
}

impl Drop for ExchangeCore {
    fn drop(&mut self) {
        let _ = self.jvm.kill();
        let _ = self.jvm.wait();
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/exchange-core")
}

/// The directory of its jars, fetched unless they are there.
fn jars() -> anyhow::Result<PathBuf> {
    let dir = source().join("lib");
    if !dir.join("exchange-core-0.5.3.jar").exists() {
        finish(
            Program::new("mvn")
                .args([
                    "-q",
                    "-B",
                    "dependency:copy-dependencies",
                    "-DoutputDirectory=lib",
                ])
                .current_dir(source()),
        )?;
    }
    Ok(dir)
}

/// The stream as `Peer.java` reads it.
fn written(stream: &Stream) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for number in [
        u32::try_from(stream.filling.len())?,
        u32::try_from(stream.commands.len())?,
        PEOPLE,
        2 * MIDDLE,
    ] {
        bytes.extend(number.to_le_bytes());
    }
    for command in stream.filling.iter().chain(&stream.commands) {
        let (kind, sells, rests, person, order, price, lots) = match *command {
            Command::Place {
                side,
                person,
                price,
                lots,
                rests,
                ..
            } => (0, side == Side::Sell, rests, person, 0, price, lots),
            Command::Cancel { order } => (1, false, false, 0, order, 0, 0),
            Command::Move { order, price, .. } => (2, false, false, 0, order, price, 0),
        };
        bytes.extend([kind, u8::from(sells), u8::from(rests), 0]);
        for number in [person, order, price] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(lots.to_le_bytes());
    }
    Ok(bytes)
}
