use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::Error;

/// Below the range from which the kernel takes ports of outgoing connections, so that nothing can take a server's
/// port while the server is down between `stop` and `start_again`.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// How long a server of an earlier process may take to leave a port of its own.
const LEFT_WITHIN: Duration = Duration::from_secs(12);

static NEXT: AtomicU32 = AtomicU32::new(0);
/// The locks of the ports this process was given; held until it ends.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A TCP port on 127.0.0.1 that nobody listens on and that no other test process is given while this one lives.
pub fn free_port() -> u16 {
    let locks = std::env::temp_dir().join(format!("ferrex-ports-{}", rustix::process::geteuid().as_raw()));
    std::fs::create_dir_all(&locks).expect("the temporary directory is writable");
    // Processes begin at different places, so that they seldom meet.
    let begin = std::process::id().wrapping_mul(37);
    for _ in 0..COUNT {
        let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(step).expect("a remainder below 12,000");
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(locks.join(port.to_string()));
        let Ok(lock) = lock else { continue };
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            HELD.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(lock);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// Waits until nobody listens on a port of 127.0.0.1. After a process was killed its servers are stopped in good order,
/// so the next start meets them on their way out.
pub(crate) async fn until_free(port: u16) -> Result<(), Error> {
    let started = Instant::now();
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(()),
            Err(source) if started.elapsed() > LEFT_WITHIN => {
                return Err(Error::Io {
                    doing: format!("port {port} is taken by another program"),
                    source,
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
