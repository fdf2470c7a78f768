//! Hands mails to the mail server by SMTP.

use std::time::Duration;

use ferrex_ids::DeliveryId;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::Encryption;
use crate::{Config, Error, Rendered};

/// Why the mail server did not take a mail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    /// It never will.
    Refused(String),
    /// It may later.
    Later {
        reason: String,
        /// Nothing is wrong with this mail: the server was not reached, or broke off.
        server_away: bool,
    },
}

/// A connection pool to the mail server.
pub(crate) struct Sender {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// How long handing over one mail may take, from connecting to the server's last word.
    within: Duration,
}

impl Sender {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let from: Mailbox = config.from.parse().map_err(|error| Error::Setting {
            name: "from",
            problem: format!("{error}; write it as \"Name <user@example.org>\""),
        })?;
        let smtp = &config.smtp;
        let parameters = || TlsParameters::new(smtp.host.clone()).map_err(Error::Encryption);
        let tls = match smtp.encryption {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::Tls => Tls::Wrapper(parameters()?),
        };
        let connections = u32::try_from(config.concurrency).unwrap_or(u32::MAX);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(tls)
            .timeout(Some(Duration::from_secs(smtp.timeout_seconds)))
            .pool_config(
                PoolConfig::new()
                    .max_size(connections)
                    .idle_timeout(Duration::from_secs(30)),
            );
        if let (Some(user), Some(file)) = (&smtp.user, &smtp.password) {
            let password = file.read()?;
            builder = builder.credentials(Credentials::new(
                user.clone(),
                password.expose_secret().to_owned(),
            ));
        }
        Ok(Self {
            transport: builder.build(),
            from,
            within: Duration::from_secs(smtp.timeout_seconds),
        })
    }

    /// The `Message-ID` of a delivery, the same at every attempt, so that a receiver can drop a second copy.
    pub(crate) fn message_id(&self, id: DeliveryId) -> String {
        format!("<{id}@{}>", self.from.email.domain())
    }

    /// Whether the server answers.
    pub(crate) async fn probe(&self) -> Result<(), String> {
        match tokio::time::timeout(self.within, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("the mail server answers but refuses to work".to_owned()),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err(self.too_slow()),
        }
    }

    pub(crate) async fn send(&self, to: &str, message_id: &str, mail: Rendered) -> Result<(), SendError> {
        let refused =
            |what: &str, error: &dyn std::fmt::Display| SendError::Refused(format!("{what}: {error}"));
        let to: Address = to
            .parse()
            .map_err(|error| refused("the address cannot be used", &error))?;
        // RFC 3834: an absence notice does not answer this.
        let automatic = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject)
            .message_id(Some(message_id.to_owned()))
            .raw_header(automatic)
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .map_err(|error| refused("the mail cannot be written", &error))?;
        // The library bounds the connecting alone; a server that takes the connection and says nothing would keep one
        // of the few workers for ever (F99).
        match tokio::time::timeout(self.within, self.transport.send(message)).await {
            Ok(sent) => sent.map(drop).map_err(|error| classify(&error)),
            Err(_) => Err(SendError::Later {
                reason: self.too_slow(),
                server_away: true,
            }),
        }
    }

    fn too_slow(&self) -> String {
        format!("mail server: no answer within {} s", self.within.as_secs())
    }
}

fn classify(error: &lettre::transport::smtp::Error) -> SendError {
    let reason = describe(error);
    // 550 to 555 are about this recipient or this mail. Other 5xx (530, 535: log in first) are about us and will be mended.
    let status = error.status().map(|code| code.to_string());
    let about_this_mail = status
        .as_deref()
        .is_some_and(|code| ("550"..="555").contains(&code));
    if about_this_mail {
        SendError::Refused(reason)
    } else {
        SendError::Later {
            reason,
            server_away: status.is_none_or(|code| code.starts_with("421")),
        }
    }
}

/// The error and its causes, which lettre keeps apart.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    let mut text = format!("mail server: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
