use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use ferrex_fault::{Classify, Kind};
use tokio::sync::Semaphore;

use super::{Password, PasswordContext, PasswordError};

/// How costly a hash is, and how many are computed at once.
#[derive(Clone, Copy, Debug)]
pub struct HasherConfig {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Hashes computed at once; each takes a thread and its memory.
    pub parallel: usize,
    /// Most callers that wait for their turn.
    pub queue_max: usize,
    /// How long a caller waits for its turn.
    pub patience: Duration,
}

impl Default for HasherConfig {
    /// OWASP's argon2id: 19 MiB, two passes, one lane.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            memory_kib: 19_456,
            passes: 2,
            parallel: cores.min(8),
            queue_max: 256,
            patience: Duration::from_secs(3),
        }
    }
}

/// Why no hash came out.
#[derive(Debug, thiserror::Error)]
pub enum HasherError {
    /// Too many callers; try again later.
    #[error("too many log-ins at once, try again in a few seconds")]
    Overloaded,
    /// The password breaks a rule.
    #[error(transparent)]
    Refused(#[from] PasswordError),
    /// The stored hash is no hash, or the parameters are none.
    #[error("hashing a password: {0}")]
    Broken(String),
}

impl Classify for HasherError {
    fn kind(&self) -> Kind {
        match self {
            Self::Overloaded => Kind::Unavailable,
            Self::Refused(_) => Kind::Invalid,
            Self::Broken(_) => Kind::Internal,
        }
    }
    fn code(&self) -> &'static str {
        match self {
            Self::Overloaded => "core.overloaded",
            Self::Refused(_) => "core.password.refused",
            Self::Broken(_) => "core.internal",
        }
    }
}

/// Hashes and verifies passwords on blocking threads: a bounded number at once, a bounded queue with a deadline before it.
#[derive(Clone)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    /// Verified in place of the hash of an account that does not exist, so that both take the same time (A03).
    dummy: Arc<str>,
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    patience: Duration,
}

impl PasswordHasher {
    /// Checks the parameters and prepares the pool.
    pub fn try_new(config: HasherConfig) -> Result<Self, HasherError> {
        let broken = |error: &dyn std::fmt::Display| HasherError::Broken(error.to_string());
        let params =
            Params::new(config.memory_kib, config.passes, 1, None).map_err(|error| broken(&error))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = argon2
            .hash_password(b"no account has this password")
            .map_err(|error| broken(&error))?;
        Ok(Self {
            argon2,
            dummy: dummy.to_string().into(),
            turns: Arc::new(Semaphore::new(config.parallel.max(1))),
            queue: Arc::new(Semaphore::new(config.queue_max.max(1))),
            patience: config.patience,
        })
    }

    /// Checks a new password against all rules and hashes it.
    pub async fn accept(&self, password: Password, context: PasswordContext) -> Result<String, HasherError> {
        let argon2 = self.argon2.clone();
        self.run(move || {
            password.check(&context)?;
            let hash = argon2.hash_password(password.bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| HasherError::Broken(error.to_string()))
        })
        .await
        .inspect(|_| computed())
    }

    /// Whether `password` is the one that was hashed. Without a hash the answer is no, after the same time.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, HasherError> {
        let (argon2, dummy) = (self.argon2.clone(), Arc::clone(&self.dummy));
        self.run(move || {
            let known = hash.is_some() && password.is_plausible();
            let bytes: &[u8] = if password.is_plausible() {
                password.bytes()
            } else {
                b""
            };
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(&dummy))
                .map_err(|error| HasherError::Broken(error.to_string()))?;
            match argon2.verify_password(bytes, &parsed) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(HasherError::Broken(error.to_string())),
            }
        })
        .await
        .inspect(|_| computed())
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let place = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_| HasherError::Overloaded)?;
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| HasherError::Overloaded)?
            .map_err(|_| HasherError::Overloaded)?;
        drop(place);
        // The turn moves into the work: a caller that goes away must not let one more run beside it.
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| HasherError::Broken(error.to_string()))?
    }
}

/// Says that a hash was computed, so that a test can see that every path computes as many (A03).
fn computed() {
    tracing::trace!("a password hash was computed");
}

impl std::fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHasher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> HasherConfig {
        HasherConfig {
            memory_kib: 64,
            passes: 1,
            parallel: 1,
            queue_max: 2,
            patience: Duration::from_secs(5),
        }
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_accepted_exactly_as_typed() {
        let hasher = PasswordHasher::try_new(config()).unwrap();
        let typed = " Trompetenbaum 77 ";
        let hash = hasher
            .accept(password(typed), PasswordContext::default())
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(hasher.verify(password(typed), Some(hash.clone())).await.unwrap());
        assert!(
            !hasher
                .verify(password(typed.trim()), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(password(&typed.repeat(100)), Some(hash))
                .await
                .unwrap()
        );
    }

    #[test]
    fn a003_what_stands_for_a_missing_hash_costs_as_much_as_one() {
        let hasher = PasswordHasher::try_new(config()).unwrap();
        assert!(
            hasher.dummy.starts_with("$argon2id$v=19$m=64,t=1,p=1$"),
            "{}",
            hasher.dummy
        );
    }

    #[tokio::test]
    async fn without_an_account_no_password_is_right() {
        let hasher = PasswordHasher::try_new(config()).unwrap();
        assert!(
            !hasher
                .verify(password("no account has this password"), None)
                .await
                .unwrap()
        );
        assert!(matches!(
            hasher.verify(password("x"), Some("broken".into())).await,
            Err(HasherError::Broken(_))
        ));
    }

    #[tokio::test]
    async fn a_full_queue_and_a_lost_patience_are_answered_as_overload() {
        let hasher = PasswordHasher::try_new(HasherConfig {
            patience: Duration::from_millis(20),
            ..config()
        })
        .unwrap();
        let turn = Arc::clone(&hasher.turns).acquire_owned().await.unwrap();
        let late = hasher.verify(password("x"), None).await;
        assert!(matches!(late, Err(HasherError::Overloaded)), "{late:?}");
        let places = Arc::clone(&hasher.queue).acquire_many_owned(2).await.unwrap();
        assert!(matches!(
            hasher.verify(password("x"), None).await,
            Err(HasherError::Overloaded)
        ));
        drop((turn, places));
        assert!(!hasher.verify(password("x"), None).await.unwrap());
    }
}
