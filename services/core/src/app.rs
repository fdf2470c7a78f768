//! What every part of this service works with.

use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;

use ferrex_bus::{Bus, Outgoing, outbox};
use ferrex_contracts::Message;
use ferrex_fault::Fault;
use ferrex_ids::{Id, Kind, UserId};
use ferrex_postgres::{Db, Tx};
use ferrex_time::{SharedClock, Timestamp};
use ferrex_web::{TokenSigner, TokenVerifier};

use crate::Config;
use crate::client::Client;
use crate::passwords::{HasherError, Password, PasswordContext, PasswordHasher};
use crate::secrets::Keys;
use crate::throttle::{self, Limit};
use crate::users::{self, User};

/// This service's name on the bus.
pub(crate) const SOURCE: &str = "core";

/// The service's parts; clones share them.
#[derive(Clone)]
pub struct Core(pub(crate) Arc<Parts>);

/// What [`Core`] holds.
pub struct Parts {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) clock: SharedClock,
    pub(crate) keys: Keys,
    pub(crate) hasher: PasswordHasher,
    pub(crate) tokens: TokenSigner,
    pub(crate) verifier: TokenVerifier,
}

impl Deref for Core {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core(..)")
    }
}

impl Core {
    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id.
    pub(crate) fn id<K: Kind>(&self) -> Id<K> {
        Id::new_at(self.clock.unix_ms())
    }

    /// Puts an event into the outbox of this transaction. The caller holds the lock of the aggregate `key` names.
    pub(crate) async fn publish<M: Message>(
        &self,
        tx: &mut Tx,
        key: impl Display,
        at: Timestamp,
        message: &M,
    ) -> Result<(), Fault> {
        let outgoing = Outgoing::event(SOURCE, self.id(), key, at, message);
        outbox::put(tx, &outgoing).await?;
        Ok(())
    }

    /// Commits.
    pub(crate) async fn commit(&self, tx: Tx) -> Result<(), Fault> {
        Ok(tx.commit().await.map_err(ferrex_postgres::Error::Commit)?)
    }

    /// Checks a new password against all rules and hashes it; a refusal names `field`.
    pub(crate) async fn accept_password(
        &self,
        field: &'static str,
        password: Password,
        context: PasswordContext,
    ) -> Result<String, Fault> {
        self.hasher
            .accept(password, context)
            .await
            .map_err(|error| match error {
                HasherError::Refused(refusal) => {
                    Fault::invalid_field("core.password.refused", field, refusal.to_string())
                }
                other => other.into(),
            })
    }

    /// Counts a request of a network.
    pub(crate) async fn limit_network(
        &self,
        scope: &'static str,
        client: &Client,
        limit: Limit,
    ) -> Result<(), Fault> {
        const WHAT: &str = "too many requests of this kind from your network";
        throttle::take(
            &self.db,
            &self.keys,
            self.now(),
            scope,
            &client.network(),
            limit,
            WHAT,
        )
        .await??;
        Ok(())
    }

    /// Counts a mail to an address, whether or not it is known to us.
    pub(crate) async fn limit_mails(&self, email_key: &str) -> Result<(), Fault> {
        const WHAT: &str = "too many mails were sent to this address";
        let limit = self.config.limits.mails_per_address;
        throttle::take(&self.db, &self.keys, self.now(), "mail", email_key, limit, WHAT).await??;
        Ok(())
    }

    /// Asks a logged-in person for the password again; a refusal names `field`.
    pub(crate) async fn reauthenticate(
        &self,
        user: UserId,
        field: &'static str,
        password: Password,
    ) -> Result<(), Fault> {
        const WHAT: &str = "too many wrong passwords";
        let limit = self.config.limits.reauthentications_per_user;
        let subject = user.to_string();
        let attempt = throttle::take(
            &self.db,
            &self.keys,
            self.now(),
            "reauthenticate",
            &subject,
            limit,
            WHAT,
        )
        .await??;
        let hash = users::password_hash(&self.db, user).await?;
        if !self.hasher.verify(password, hash).await? {
            return Err(Fault::invalid_field(
                "core.password.wrong",
                field,
                "this is not your present password",
            ));
        }
        throttle::give_back(&self.db, &attempt).await?;
        Ok(())
    }

    /// A person that must exist, since a session of theirs does.
    pub(crate) async fn user(&self, user: UserId) -> Result<User, Fault> {
        Ok(users::find_by_id(&self.db, user)
            .await?
            .ok_or(users::Error::NotFound)?)
    }
}
