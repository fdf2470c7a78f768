use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::background::background;
use crate::servers::free_port;

/// A TCP proxy on 127.0.0.1 that makes the network bad on demand.
///
/// What is switched on holds for connections that exist and for those that come.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    upstream: u16,
    weather: watch::Sender<Weather>,
    drop_reply: Mutex<Option<DropReply>>,
    connections: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct Weather {
    /// Nobody listens.
    refuse: bool,
    /// Connections stay open and nothing passes.
    frozen: bool,
    /// How much later each piece arrives.
    delay: Duration,
    /// Connections of an older generation are cut.
    generation: u64,
}

struct DropReply {
    pattern: Vec<u8>,
    times: u64,
}

impl Proxy {
    /// A proxy on a free port to `upstream` on 127.0.0.1.
    pub async fn start(upstream: u16) -> Self {
        let port = free_port();
        let shared = Arc::new(Shared {
            upstream,
            weather: watch::channel(Weather::default()).0,
            drop_reply: Mutex::default(),
            connections: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let (ready, listening) = tokio::sync::oneshot::channel();
        let task = background().spawn(listen(port, Arc::clone(&shared), ready));
        listening.await.expect("a free port can be listened on");
        Self { port, shared, task }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes each piece of data arrive this much later, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.change(|weather| weather.delay = delay);
    }

    /// Half-open: connections are taken and stay, and nothing passes.
    pub fn freeze(&self) {
        self.change(|weather| weather.frozen = true);
    }

    /// Ends a [`Proxy::freeze`]; what was sent meanwhile passes.
    pub fn thaw(&self) {
        self.change(|weather| weather.frozen = false);
    }

    /// Cuts all connections; new ones are taken.
    pub fn cut(&self) {
        self.change(|weather| weather.generation += 1);
    }

    /// Cuts all connections, and refuses new ones until [`Proxy::accept`].
    pub fn refuse(&self) {
        self.change(|weather| {
            weather.refuse = true;
            weather.generation += 1;
        });
    }

    /// Takes connections again.
    pub fn accept(&self) {
        self.change(|weather| weather.refuse = false);
    }

    /// For the next `times` requests that contain `pattern`: lets the request pass, waits until the server begins
    /// to answer (so it has acted), and cuts the connection instead of passing the answer on.
    ///
    /// Meant for protocols that ask and answer in turn. Pieces of a pattern that arrive apart are put together.
    pub fn drop_reply_to(&self, pattern: impl AsRef<[u8]>, times: u64) {
        let rule = DropReply {
            pattern: pattern.as_ref().to_owned(),
            times,
        };
        *self
            .shared
            .drop_reply
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(rule);
    }

    /// How many answers were dropped.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::SeqCst)
    }

    /// How many connections were ever taken.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.shared.weather.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse();
        self.task.abort();
    }
}

async fn listen(port: u16, shared: Arc<Shared>, ready: tokio::sync::oneshot::Sender<()>) {
    let mut ready = Some(ready);
    let mut weather = shared.weather.subscribe();
    loop {
        let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        ready.take().map(|ready| ready.send(()));
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((client, _)) = accepted {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(connect(client, Arc::clone(&shared)));
                },
                Ok(_) = weather.wait_for(|weather| weather.refuse) => break,
            }
        }
        drop(listener);
        if weather.wait_for(|weather| !weather.refuse).await.is_err() {
            return;
        }
    }
}

/// One connection: two pumps that end together.
async fn connect(client: TcpStream, shared: Arc<Shared>) {
    let mut weather = shared.weather.subscribe();
    let generation = weather.borrow().generation;
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.upstream)).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let swallow = AtomicBool::new(false);
    let requests = pump(from_client, to_server, &shared, Side::Requests(&swallow));
    let replies = pump(from_server, to_client, &shared, Side::Replies(&swallow));
    tokio::select! {
        () = requests => {}
        () = replies => {}
        _ = weather.wait_for(|weather| weather.generation != generation) => {}
    }
}

enum Side<'a> {
    Requests(&'a AtomicBool),
    Replies(&'a AtomicBool),
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, side: Side<'_>) {
    let mut weather = shared.weather.subscribe();
    let mut buffer = vec![0; 64 << 10];
    // The last bytes that passed, for a pattern that arrives in pieces.
    let mut tail = Vec::new();
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(count) if count > 0 => count,
            _ => return,
        };
        let piece = &buffer[..count];
        if weather.wait_for(|weather| !weather.frozen).await.is_err() {
            return;
        }
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match side {
            Side::Requests(swallow) => {
                if matches(shared, &mut tail, piece) {
                    swallow.store(true, Ordering::SeqCst);
                }
            }
            Side::Replies(swallow) => {
                if swallow.load(Ordering::SeqCst) {
                    shared.dropped.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// Whether the rule, if there is one, applies to what was sent up to here; uses it up by one.
fn matches(shared: &Shared, tail: &mut Vec<u8>, piece: &[u8]) -> bool {
    let mut rule = shared.drop_reply.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(wanted) = rule
        .as_mut()
        .filter(|rule| rule.times > 0 && !rule.pattern.is_empty())
    else {
        tail.clear();
        return false;
    };
    tail.extend_from_slice(piece);
    let found = tail
        .windows(wanted.pattern.len())
        .any(|window| window == wanted.pattern);
    if found {
        wanted.times -= 1;
        tail.clear();
    } else {
        let keep = tail.len().min(wanted.pattern.len() - 1);
        tail.drain(..tail.len() - keep);
    }
    found
}
