use std::sync::Arc;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

use super::{Error, StaffName};

/// Staff can do more than others, so their passwords are longer.
const LENGTH_MIN: usize = 12;
const LENGTH_MAX: usize = 128;
/// Hashes computed or waited for at once; more callers are told to come again.
const CALLERS_MAX: usize = 32;

/// A password exactly as it was typed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as it was typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// One that could not be anybody's is wrong without being hashed, which keeps long texts out of the hash function.
    fn is_plausible(&self) -> bool {
        self.0.chars().take(LENGTH_MAX + 1).count() <= LENGTH_MAX
    }

    fn check(&self, name: &StaffName) -> Result<(), Error> {
        let length = self.0.chars().take(LENGTH_MAX + 1).count();
        if length < LENGTH_MIN {
            return Err(Error::PasswordRefused(format!(
                "the password needs at least {LENGTH_MIN} characters, it has {length}"
            )));
        }
        if length > LENGTH_MAX {
            return Err(Error::PasswordRefused(format!(
                "the password may have at most {LENGTH_MAX} characters"
            )));
        }
        let estimate = zxcvbn(&self.0, &["ferrex", "admin", "staff", "wallet", name.as_str()]);
        if estimate.score() >= Score::Three {
            return Ok(());
        }
        let advice = estimate
            .feedback()
            .and_then(zxcvbn::feedback::Feedback::warning)
            .map(|warning| warning.to_string());
        let advice = advice.unwrap_or_else(|| "use several uncommon words".to_owned());
        Err(Error::PasswordRefused(format!(
            "the password is too easy to guess: {advice}"
        )))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Hashes and verifies passwords on blocking threads, a bounded number at once.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// Verified in place of the hash of an account that does not exist, so that both take the same time.
    dummy: Arc<str>,
    callers: Arc<Semaphore>,
}

impl Passwords {
    /// Checks the parameters.
    pub fn try_new(memory_kib: u32, passes: u32) -> Result<Self, Error> {
        let params =
            Params::new(memory_kib, passes, 1, None).map_err(|error| Error::Hashing(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = argon2.hash_password(b"no account has this password");
        let dummy = dummy.map_err(|error| Error::Hashing(error.to_string()))?;
        Ok(Self {
            argon2,
            dummy: dummy.to_string().into(),
            callers: Arc::new(Semaphore::new(CALLERS_MAX)),
        })
    }

    /// Checks a new password against all rules and hashes it.
    pub async fn accept(&self, password: Password, name: &StaffName) -> Result<String, Error> {
        let (argon2, name) = (self.argon2.clone(), name.clone());
        self.run(move || {
            password.check(&name)?;
            let hash = argon2.hash_password(password.0.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| Error::Hashing(error.to_string()))
        })
        .await
    }

    /// Whether `password` is the one that was hashed. Without a hash the answer is no, after the same time.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, Error> {
        let (argon2, dummy) = (self.argon2.clone(), Arc::clone(&self.dummy));
        self.run(move || {
            let plausible = password.is_plausible();
            let bytes: &[u8] = if plausible { password.0.as_bytes() } else { b"" };
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(&dummy));
            let parsed = parsed.map_err(|error| Error::Hashing(error.to_string()))?;
            match argon2.verify_password(bytes, &parsed) {
                Ok(()) => Ok(plausible && hash.is_some()),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(Error::Hashing(error.to_string())),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.callers)
            .try_acquire_owned()
            .map_err(|_| Error::Overloaded)?;
        // The place moves into the work: a caller that goes away must not let one more run beside it.
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        work.await.map_err(|error| Error::Hashing(error.to_string()))?
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn weak_passwords_are_refused_and_strong_ones_verify() {
        let passwords = Passwords::try_new(64, 1).unwrap();
        let name = StaffName::parse("olga").unwrap();
        for weak in [
            "short",
            "passwordpassword",
            "ferrexferrex",
            "olgaolgaolga",
            &"xY7!".repeat(40),
        ] {
            let refused = passwords.accept(Password::new(weak.into()), &name).await;
            assert!(matches!(refused, Err(Error::PasswordRefused(_))), "{weak}");
        }
        let strong = "correct staple verdant mule";
        let hash = passwords
            .accept(Password::new(strong.into()), &name)
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(
            passwords
                .verify(Password::new(strong.into()), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(Password::new("correct staple verdant mul".into()), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(Password::new("no account has this password".into()), None)
                .await
                .unwrap()
        );
    }
}
