use ferrex_fault::{Classify, Kind};

/// Something was tried too often.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wait and try again.
    #[error("{what}; try again in {}", wait(*seconds))]
    TooMany {
        /// What there was too much of, as a sentence for the person.
        what: &'static str,
        /// How long to wait.
        seconds: i64,
    },
}

fn wait(seconds: i64) -> String {
    match seconds {
        ..=1 => "1 second".to_owned(),
        2..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", (seconds + 59) / 60),
        _ => format!("{} hours", (seconds + 3599) / 3600),
    }
}

impl Classify for Error {
    fn kind(&self) -> Kind {
        Kind::Exhausted
    }
    fn code(&self) -> &'static str {
        "core.too_many_attempts"
    }
    fn retry_after_s(&self) -> Option<u32> {
        let Self::TooMany { seconds, .. } = self;
        u32::try_from(*seconds).ok()
    }
}
