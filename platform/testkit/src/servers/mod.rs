//! Starters of the outside programs, without panics: for [`crate`]'s wrappers and for `ferrex-dev`.

mod anvil;
mod janitor;
mod kafka;
mod ports;
mod postgres;
mod process;
mod tools;

pub use anvil::{AnvilOptions, AnvilServer, DEV_ACCOUNTS, DevAccount};
pub use janitor::remove_at_end;
pub use kafka::{KafkaOptions, KafkaServer};
pub use ports::free_port;
pub(crate) use ports::until_free;
pub use postgres::{PostgresOptions, PostgresServer, PostgresUse};
pub use process::{Process, Signal};
pub use tools::{postgres_can_reach, tools_dir};

/// A server could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("{program} is missing; run scripts/tools.sh {part}")]
    Missing {
        /// What was looked for.
        program: String,
        /// The argument that installs it.
        part: &'static str,
    },
    /// The operating system refused something.
    #[error("{doing}")]
    Io {
        /// What was being attempted.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program ended that should have stayed, or failed.
    #[error("{name} ended with {status}; the end of its log:\n{log}")]
    Ended {
        /// Which program.
        name: String,
        /// Its exit status.
        status: String,
        /// The last lines it wrote.
        log: String,
    },
    /// A program runs but did not become ready.
    #[error("{name} was not ready within {seconds} s; the end of its log:\n{log}")]
    NotReady {
        /// Which program.
        name: String,
        /// How long it was given.
        seconds: u64,
        /// The last lines it wrote.
        log: String,
    },
    /// A started server refused a request of ours.
    #[error("{doing}: {answer}")]
    Refused {
        /// What was being attempted.
        doing: String,
        /// What the server said.
        answer: String,
    },
}

impl Error {
    /// Maker of an [`Error::Io`] for `map_err`.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Maker of an [`Error::Refused`] for `map_err`.
    pub(crate) fn refused<E: std::fmt::Display>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |answer| Self::Refused {
            doing,
            answer: answer.to_string(),
        }
    }
}

/// Runs a request of a test kit function and panics with the whole chain of causes when it fails.
#[track_caller]
pub(crate) fn must<T>(result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(source) = cause {
                text.push_str(": ");
                text.push_str(&source.to_string());
                cause = source.source();
            }
            panic!("{text}")
        }
    }
}
