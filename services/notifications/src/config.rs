//! The settings of this role.

use std::time::Duration;

use ferrex_settings::SecretFile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The settings of this role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The mail server.
    pub smtp: Smtp,
    /// Sender of all mail, such as `Ferrex <no-reply@example.org>`; its domain is that of the message ids.
    pub from: String,
    /// Name of the product, as mails show it.
    pub brand: String,
    /// Where the wallet app is reached; mails point to it.
    pub public_url: String,
    /// Attempts to hand a mail over before it is given up.
    pub attempts_max: u32,
    /// The first pause between attempts, in milliseconds; it doubles with each.
    pub retry_first_ms: u64,
    /// The longest pause between attempts, in seconds.
    pub retry_cap_seconds: u64,
    /// Mails sent at once.
    pub concurrency: usize,
    /// After how many seconds without a sign of life another process takes a mail over.
    pub lease_seconds: u64,
}

/// The mail server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Smtp {
    /// Its name, as its certificate says.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Whom to log in as; absent for a server that asks nobody.
    pub user: Option<String>,
    /// The file with that user's password.
    pub password: Option<SecretFile>,
    /// How long handing over one mail may take, from connecting to the server's last word, in seconds.
    pub timeout_seconds: u64,
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Not at all; for a server on this machine.
    #[default]
    None,
    /// In the clear at first, then required by STARTTLS (port 587).
    StartTls,
    /// From the first byte (port 465).
    Tls,
}

impl Default for Config {
    /// Forty attempts within about nine hours.
    fn default() -> Self {
        Self {
            smtp: Smtp::default(),
            from: "Ferrex <no-reply@localhost>".to_owned(),
            brand: "Ferrex".to_owned(),
            public_url: "http://localhost:8080".to_owned(),
            attempts_max: 40,
            retry_first_ms: 2_000,
            retry_cap_seconds: 900,
            concurrency: 4,
            lease_seconds: 10,
        }
    }
}

impl Default for Smtp {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 1025,
            encryption: Encryption::None,
            user: None,
            password: None,
            timeout_seconds: 15,
        }
    }
}

impl Config {
    /// Refuses what cannot work, with the setting's name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let positive = [
            ("attempts_max", u64::from(self.attempts_max)),
            ("retry_first_ms", self.retry_first_ms),
            ("retry_cap_seconds", self.retry_cap_seconds),
            ("concurrency", self.concurrency as u64),
            ("lease_seconds", self.lease_seconds),
            ("smtp.timeout_seconds", self.smtp.timeout_seconds),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::Setting {
                name,
                problem: "must be at least 1".to_owned(),
            });
        }
        if !self.public_url.starts_with("http://") && !self.public_url.starts_with("https://") {
            let problem = "must begin with http:// or https://".to_owned();
            return Err(Error::Setting {
                name: "public_url",
                problem,
            });
        }
        if self.smtp.user.is_some() != self.smtp.password.is_some() {
            let problem = "user and password belong together".to_owned();
            return Err(Error::Setting {
                name: "smtp.user",
                problem,
            });
        }
        let local = matches!(self.smtp.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.smtp.user.is_some() && self.smtp.encryption == Encryption::None && !local {
            let problem =
                "a password is not sent over an unencrypted connection; use start_tls or tls".to_owned();
            return Err(Error::Setting {
                name: "smtp.encryption",
                problem,
            });
        }
        Ok(())
    }

    pub(crate) fn retry_pause(&self, attempt: u32) -> Duration {
        let backoff = ferrex_runtime::Backoff::new(
            Duration::from_millis(self.retry_first_ms),
            Duration::from_secs(self.retry_cap_seconds),
        );
        let ceiling = backoff.ceiling(attempt);
        ceiling / 2 + (ceiling / 2).mul_f64(rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_work() {
        Config::default().check().unwrap();
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        let smtp = Smtp {
            host: "mail.example.org".to_owned(),
            user: Some("me".to_owned()),
            password: Some(SecretFile::new("/nowhere")),
            ..Smtp::default()
        };
        let error = Config {
            smtp: smtp.clone(),
            ..Config::default()
        }
        .check()
        .unwrap_err();
        assert!(error.to_string().contains("smtp.encryption"), "{error}");
        let encrypted = Smtp {
            encryption: Encryption::StartTls,
            ..smtp
        };
        Config {
            smtp: encrypted,
            ..Config::default()
        }
        .check()
        .unwrap();
    }

    #[test]
    fn pauses_grow_to_the_cap() {
        let config = Config::default();
        assert!(config.retry_pause(1) <= Duration::from_secs(2));
        assert!(config.retry_pause(40) <= Duration::from_mins(15));
        assert!(config.retry_pause(40) >= Duration::from_secs(450));
    }
}
