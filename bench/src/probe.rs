//! What the machine gives at this moment.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::pairs::Limit;

/// For how long a limit is probed.
const PROBE: Duration = Duration::from_secs(1);
/// How long a probe beside a run rests after each.
const BESIDE_EVERY: Duration = Duration::from_millis(10);

/// The probe of a limit: per second, or `None` where none is needed.
pub fn of(limit: Limit) -> std::io::Result<Option<f64>> {
    match limit {
        Limit::Disk => Ok(Some(rate(&fdatasyncs()?))),
        Limit::Loopback => round_trips_per_second().map(Some),
        Limit::None => Ok(None),
    }
}

/// Whether two probes differ by at most a quarter.
pub fn alike(before: Option<f64>, after: Option<f64>) -> bool {
    before
        .zip(after)
        .is_none_or(|(before, after)| before.max(after) <= 1.25 * before.min(after))
}

/// The machine and how busy it is, in a line.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = read("/proc/loadavg").split(' ').next().unwrap_or("?").to_owned();
    // Not what this process may use: it may be pinned.
    let count = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!(
        "{count} × {}, load average {load}",
        model.map_or("unknown processor", |(_, model)| model)
    )
}

/// Has all that was changed written now: a build, the files of a new cluster. Half a minute after it was changed the kernel
/// would write it, and commits at that moment wait for up to a quarter of a second.
pub fn settle_disk() -> std::io::Result<()> {
    let status = Command::new("sync").status()?;
    if status.success() {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("sync: {status}")))
    }
}

/// How long each of the times took that 8 kB were brought to the disk, one after the other, when it had nothing else to do.
pub fn fdatasyncs() -> std::io::Result<Vec<Duration>> {
    settle_disk()?;
    let mut disk = Disk::open()?;
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < PROBE {
        times.push(disk.fdatasync()?);
    }
    Ok(times)
}

/// Asks the disk beside a run, a hundred times a second, what it takes for an `fdatasync`: with what the run does to it.
pub struct Beside {
    ends: Arc<AtomicBool>,
    probing: JoinHandle<std::io::Result<Vec<Duration>>>,
}

impl Beside {
    /// Begins.
    pub fn start() -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ends);
        let probing = std::thread::spawn(move || {
            let (mut disk, mut times) = (Disk::open()?, Vec::new());
            while !end.load(Ordering::Relaxed) {
                times.push(disk.fdatasync()?);
                std::thread::sleep(BESIDE_EVERY);
            }
            Ok(times)
        });
        Self { ends, probing }
    }

    /// Ends it; how long each took.
    pub fn stop(self) -> anyhow::Result<Vec<Duration>> {
        self.ends.store(true, Ordering::Relaxed);
        let times = self
            .probing
            .join()
            .ok()
            .context("the probe of the disk panicked")?;
        Ok(times?)
    }
}

/// A file that is written 8 kB at a time.
struct Disk {
    file: File,
    page: u64,
}

impl Disk {
    fn open() -> std::io::Result<Self> {
        let file = tempfile::tempfile()?;
        Ok(Self { file, page: 0 })
    }

    /// Writes a page and brings it to the disk; how long the latter took.
    fn fdatasync(&mut self) -> std::io::Result<Duration> {
        self.file.seek(SeekFrom::Start(self.page % 1024 * 8192))?;
        self.file.write_all(&[7u8; 8192])?;
        self.page += 1;
        let started = Instant::now();
        self.file.sync_data()?;
        Ok(started.elapsed())
    }
}

/// How many a second.
pub fn rate(times: &[Duration]) -> f64 {
    let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
    f64::from(count) / times.iter().sum::<Duration>().as_secs_f64()
}

/// How often a second 200 bytes go to another thread and back over TCP.
fn round_trips_per_second() -> std::io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::spawn(move || {
        let mut bytes = [0u8; 200];
        while far
            .read_exact(&mut bytes)
            .and_then(|()| far.write_all(&bytes))
            .is_ok()
        {}
    });
    let mut bytes = [7u8; 200];
    let begin = Instant::now();
    let mut count = 0u32;
    while begin.elapsed() < PROBE {
        near.write_all(&bytes)?;
        near.read_exact(&mut bytes)?;
        count += 1;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    drop(near);
    // It ends with the connection, and it cannot panic.
    let _ = echo.join();
    Ok(rate)
}
