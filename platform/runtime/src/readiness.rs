use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Which parts a process needs to do its work, and which of them are away.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

/// A part that is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The part, such as `postgres`.
    pub part: String,
    /// Why it is away, in words for the operator.
    pub reason: String,
}

/// The switch of one part.
#[derive(Clone, Debug)]
pub struct ReadyFlag {
    part: String,
    readiness: Readiness,
}

impl Readiness {
    /// No parts yet, so nothing is missing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, which is missing until its flag says otherwise.
    pub fn register(&self, part: impl Into<String>) -> ReadyFlag {
        let flag = ReadyFlag {
            part: part.into(),
            readiness: self.clone(),
        };
        flag.set_missing("starting");
        flag
    }

    /// The parts that are away, in the order of their names.
    pub fn missing(&self) -> Vec<Missing> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts
            .iter()
            .filter_map(|(part, reason)| {
                Some(Missing {
                    part: part.clone(),
                    reason: reason.clone()?,
                })
            })
            .collect()
    }

    /// The names of all parts.
    pub fn parts(&self) -> Vec<String> {
        self.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// Whether no part is away.
    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }

    /// Says it in the log when the part changes between ready and missing, and only then.
    fn set(&self, part: &str, reason: Option<String>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = parts.insert(part.to_owned(), reason.clone());
        drop(parts);
        match (before, reason) {
            (Some(None), Some(reason)) => tracing::warn!(part, reason, "part is missing"),
            (Some(Some(_)), None) => tracing::info!(part, "part is ready"),
            _ => {}
        }
    }
}

impl ReadyFlag {
    /// The part works.
    pub fn set_ready(&self) {
        self.readiness.set(&self.part, None);
    }

    /// The part is away; `reason` tells the operator why and holds no secret.
    pub fn set_missing(&self, reason: impl Into<String>) {
        self.readiness.set(&self.part, Some(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registered_part_is_missing_until_it_says_otherwise() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (postgres, bus) = (readiness.register("postgres"), readiness.register("bus"));
        postgres.set_ready();
        assert_eq!(
            readiness.missing(),
            [Missing {
                part: "bus".into(),
                reason: "starting".into()
            }]
        );
        bus.set_ready();
        assert!(readiness.is_ready());
        postgres.set_missing("connection refused");
        assert_eq!(readiness.missing()[0].reason, "connection refused");
    }
}
