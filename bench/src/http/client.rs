//! A client over HTTP/1.1 that costs little, so that it can keep a fast server busy from one core.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cpu::Cpu;
use crate::effort::Effort;
use crate::window::Window;

/// A connection that is kept open.
pub struct Connection {
    stream: TcpStream,
    /// What was read and not yet given out.
    buffer: Vec<u8>,
    /// Length of the answer that was given out last.
    given: usize,
}

impl Connection {
    /// Opens one.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4_096),
            given: 0,
        })
    }

    /// Sends a request and answers status and body.
    pub async fn call(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.buffer.drain(..self.given);
        self.given = 0;
        self.stream.write_all(request).await?;
        loop {
            if let Some(answer) = Answer::read(&self.buffer)? {
                self.given = answer.end;
                return Ok((answer.status, &self.buffer[answer.body..answer.end]));
            }
            let count = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(count > 0, "the server closed the connection");
        }
    }
}

/// Where the parts of an answer are.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    body: usize,
    end: usize,
}

impl Answer {
    /// The answer that begins the bytes, once it is there as a whole.
    fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..head]).context("a head is text")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.context("an answer begins with its status")?.parse()?;
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .context("an answer says how long it is")?;
        let body = head.len() + 4;
        let end = body + length.1.trim().parse::<usize>()?;
        Ok((bytes.len() >= end).then_some(Self { status, body, end }))
    }
}

/// The bytes of a GET.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

/// The bytes of a POST of JSON under an idempotency key.
pub fn post(path: &str, token: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One who calls again and again.
pub trait Caller: Send + 'static {
    /// The next request.
    fn next(&mut self) -> Vec<u8>;
    /// Looks at its answer.
    fn check(&mut self, status: u16, body: &[u8]) -> anyhow::Result<()>;
}

/// What a closed loop saw.
pub struct Closed {
    /// Answers within the window.
    pub counted: u64,
    /// Answers in all.
    pub answered: u64,
    /// CPU time of the window.
    pub cpu: Cpu,
}

/// Lets each caller call on a connection of its own until the window is over.
pub async fn closed<C: Caller>(
    address: SocketAddr,
    callers: Vec<C>,
    effort: Effort,
) -> anyhow::Result<Closed> {
    let mut connections = Vec::new();
    for caller in callers {
        connections.push((Connection::open(address).await?, caller));
    }
    let window = Window::after_warm_up(effort);
    let calling: Vec<_> = connections
        .into_iter()
        .map(|(mut connection, mut caller)| {
            tokio::spawn(async move {
                let (mut counted, mut answered) = (0, 0);
                while !window.is_over() {
                    let (status, body) = connection.call(&caller.next()).await?;
                    caller.check(status, body)?;
                    answered += 1;
                    counted += u64::from(window.counts_now());
                }
                anyhow::Ok((counted, answered))
            })
        })
        .collect();
    let cpu = window.cpu().await?;
    let (mut counted, mut answered) = (0, 0);
    for caller in calling {
        let (in_window, all) = caller.await.context("a caller ended early")??;
        counted += in_window;
        answered += all;
    }
    Ok(Closed {
        counted,
        answered,
        cpu,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\nx: y\r\n\r\nbodyHTTP/1.1";
        let answer = Answer::read(bytes).unwrap().expect("it is whole");
        assert_eq!(answer.status, 201);
        assert_eq!(&bytes[answer.body..answer.end], b"body");
        assert_eq!(Answer::read(&bytes[..50]).unwrap(), None);
        assert_eq!(Answer::read(b"HTTP/1.1 200").unwrap(), None);
        assert!(Answer::read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
