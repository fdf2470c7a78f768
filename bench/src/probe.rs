//! What the machine gives at this moment.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::pairs::Limit;

/// For how long a limit is probed.
const PROBE: Duration = Duration::from_secs(1);

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

/// How long each of the times took that 8 kB were brought to the disk, one after the other.
pub fn fdatasyncs() -> std::io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile()?;
    let page = [7u8; 8192];
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < PROBE {
        file.seek(SeekFrom::Start((times.len() as u64 % 1024) * 8192))?;
        file.write_all(&page)?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(started.elapsed());
    }
    Ok(times)
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
