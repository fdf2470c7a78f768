use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Behaviour, Shared, open};

/// Longer than any mail of ours.
const SIZE_MAX: usize = 10 << 20;
/// RFC 5321 allows 512 and 1000; senders are allowed a little more.
const LINE_MAX: usize = 4096;

/// What a client has said so far.
#[derive(Default)]
struct Envelope {
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// Speaks SMTP (RFC 5321, with SIZE, 8BITMIME, SMTPUTF8 and PIPELINING) until the client leaves. Strict, so that a
/// sender that only works with lenient servers is noticed.
pub(super) async fn converse(stream: TcpStream, mailbox: Shared) {
    // A broken connection is the sender's to report.
    let _ = session(stream, mailbox).await;
}

async fn session(stream: TcpStream, mailbox: Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut envelope = Envelope::default();
    reply(&mut stream, "220 ferrex.test mail catcher").await?;
    while let Some(line) = read_line(&mut stream).await? {
        let behaviour = open(&mailbox).behaviour;
        let Ok(line) = String::from_utf8(line) else {
            reply(&mut stream, "500 a command is text").await?;
            continue;
        };
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let verb = verb.to_ascii_uppercase();
        if verb == "DATA" && envelope.from.is_some() && !envelope.to.is_empty() {
            reply(&mut stream, "354 go on, end with a dot").await?;
            let Some(raw) = read_data(&mut stream).await? else {
                return reply(&mut stream, "552 too long, or a line without CRLF").await;
            };
            let from = envelope.from.take().unwrap_or_default();
            let to = std::mem::take(&mut envelope.to);
            if behaviour == Behaviour::Hang {
                std::future::pending::<()>().await;
            }
            open(&mailbox).keep(from, to, raw);
            if behaviour == Behaviour::LoseReply {
                return Ok(());
            }
            reply(&mut stream, "250 kept").await?;
            continue;
        }
        let answer = command(&mut envelope, &verb, argument, behaviour);
        reply(&mut stream, answer).await?;
        if verb == "QUIT" {
            return Ok(());
        }
    }
    Ok(())
}

fn command(envelope: &mut Envelope, verb: &str, argument: &str, behaviour: Behaviour) -> &'static str {
    match verb {
        "EHLO" | "HELO" if argument.is_empty() => "501 say who you are",
        "EHLO" => {
            *envelope = Envelope {
                greeted: true,
                ..Envelope::default()
            };
            "250-ferrex.test\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING"
        }
        "HELO" => {
            *envelope = Envelope {
                greeted: true,
                ..Envelope::default()
            };
            "250 ferrex.test"
        }
        "MAIL" if !envelope.greeted => "503 EHLO first",
        "MAIL" if envelope.from.is_some() => "503 one sender at a time",
        "MAIL" => match path(argument, "FROM:") {
            Some(from) => {
                envelope.from = Some(from);
                "250 go on"
            }
            None => "501 MAIL FROM:<address>",
        },
        "RCPT" if envelope.from.is_none() => "503 MAIL first",
        "RCPT" => match (path(argument, "TO:"), behaviour) {
            (None, _) => "501 RCPT TO:<address>",
            (Some(to), _) if to.is_empty() => "501 a recipient has an address",
            (_, Behaviour::RefuseForNow) => "451 4.3.0 not now",
            (_, Behaviour::RefuseForGood) => "550 5.1.1 there is nobody of this name",
            (Some(to), _) => {
                envelope.to.push(to);
                "250 go on"
            }
        },
        "DATA" => "503 MAIL and RCPT first",
        "RSET" => {
            *envelope = Envelope {
                greeted: envelope.greeted,
                ..Envelope::default()
            };
            "250 forgotten"
        }
        "NOOP" => "250 yes",
        "QUIT" => "221 good bye",
        _ => "502 not here",
    }
}

/// The address in `FROM:<address> PARAMETERS`.
fn path(argument: &str, keyword: &str) -> Option<String> {
    let head = argument.get(..keyword.len())?;
    let rest = argument.get(keyword.len()..)?.trim_start();
    let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    let separated = parameters.is_empty() || parameters.starts_with(' ');
    (head.eq_ignore_ascii_case(keyword) && separated).then(|| address.to_owned())
}

async fn reply(stream: &mut BufReader<TcpStream>, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await
}

/// A line without its CRLF; `None` at the end, or for a line that is too long or ends otherwise.
async fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let chunk = stream.fill_buf().await?;
        if chunk.is_empty() || line.len() > LINE_MAX {
            return Ok(None);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(chunk.len());
        line.extend_from_slice(&chunk[..taken]);
        stream.consume(taken);
        if end.is_some() {
            return Ok(line.strip_suffix(b"\r\n").map(<[u8]>::to_vec));
        }
    }
}

/// The message up to the line with the single dot; `None` when it is too long or not made of lines.
async fn read_data(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut raw = Vec::new();
    while let Some(line) = read_line(stream).await? {
        if line == b"." {
            return Ok(Some(raw));
        }
        // A dot at the beginning was doubled by the sender.
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        raw.extend_from_slice(b"\r\n");
        if raw.len() > SIZE_MAX {
            break;
        }
    }
    Ok(None)
}
