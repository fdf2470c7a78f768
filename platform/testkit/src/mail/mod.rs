//! An SMTP server that keeps what it gets, and misbehaves on demand.

mod message;
mod smtp;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use message::Mail;

use crate::background::background;
use crate::eventually::eventually;
use crate::servers::{Error, free_port, must};

/// What the server does with a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes and keeps it.
    #[default]
    Accept,
    /// Refuses each recipient with 451: try again later.
    RefuseForNow,
    /// Refuses each recipient with 550: never.
    RefuseForGood,
    /// Reads all of it and never answers.
    Hang,
    /// Keeps it and closes the connection without an answer.
    LoseReply,
}

#[derive(Default)]
pub(crate) struct Mailbox {
    behaviour: Behaviour,
    mails: Vec<Mail>,
    taken: u64,
}

type Shared = Arc<Mutex<Mailbox>>;

pub(crate) fn open(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mail server on 127.0.0.1 without encryption or login. It keeps the last [`MailCatcher::KEPT`] messages.
pub struct MailCatcher {
    port: u16,
    mailbox: Shared,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl MailCatcher {
    /// How many messages are kept.
    pub const KEPT: usize = 1_000;

    /// Starts one on a free port.
    pub async fn start() -> Self {
        must(Self::start_on(free_port()).await)
    }

    /// Starts one on a given port.
    pub async fn start_on(port: u16) -> Result<Self, Error> {
        let catcher = Self {
            port,
            mailbox: Shared::default(),
            listener: Mutex::new(None),
        };
        catcher.listen().await?;
        Ok(catcher)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All messages, the oldest first.
    pub fn messages(&self) -> Vec<Mail> {
        open(&self.mailbox).mails.clone()
    }

    /// The messages to one address, the oldest first.
    pub fn messages_to(&self, address: &str) -> Vec<Mail> {
        let to_it = |mail: &Mail| mail.to.iter().any(|to| to.eq_ignore_ascii_case(address));
        open(&self.mailbox)
            .mails
            .iter()
            .filter(|mail| to_it(mail))
            .cloned()
            .collect()
    }

    /// The first message to an address whose subject or text contains `words`; waits up to 15 s for it.
    pub async fn wait_for(&self, address: &str, words: &str) -> Mail {
        eventually(Duration::from_secs(15), async || {
            self.messages_to(address)
                .into_iter()
                .find(|mail| mail.contains(words))
                .ok_or_else(|| {
                    let seen: Vec<_> = self
                        .messages()
                        .into_iter()
                        .map(|mail| (mail.to, mail.subject))
                        .collect();
                    format!("no mail to {address} with {words:?} among {seen:?}")
                })
        })
        .await
    }

    /// Forgets all messages.
    pub fn clear(&self) {
        open(&self.mailbox).mails.clear();
    }

    /// Says what to do with messages from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        open(&self.mailbox).behaviour = behaviour;
    }

    /// Closes the port and cuts all connections; the messages stay.
    pub fn stop(&self) {
        if let Some(listener) = self.listener().take() {
            listener.abort();
        }
    }

    /// Opens the same port again.
    pub async fn start_again(&self) {
        must(self.listen().await);
    }

    fn listener(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen(&self) -> Result<(), Error> {
        let (port, mailbox) = (self.port, Arc::clone(&self.mailbox));
        // The listener belongs to the runtime it is bound in.
        let bound = background().spawn(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            Ok(tokio::spawn(serve(listener, mailbox)))
        });
        let serving = bound.await.expect("binding does not panic");
        let serving = serving.map_err(Error::io(format!("listening for mail on port {port}")))?;
        *self.listener() = Some(serving);
        Ok(())
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(listener: TcpListener, mailbox: Shared) {
    // Dropped, and with it every conversation, when this task is aborted.
    let mut conversations = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            conversations.spawn(smtp::converse(stream, Arc::clone(&mailbox)));
        }
        while conversations.try_join_next().is_some() {}
    }
}
