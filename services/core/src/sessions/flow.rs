use ferrex_contracts::core::SessionRevoked;
use ferrex_fault::Fault;
use ferrex_ids::{SessionId, UserId};
use ferrex_postgres::Tx;
use ferrex_time::{Duration, Timestamp};

use super::store::{self, Which};
use super::{Error, Session};
use crate::secrets::{Token, TokenKind};
use crate::{Core, users};

/// How long a revoked session's access tokens can be alive: their five minutes and what clocks may differ.
const TOKENS_LIVE: Duration = Duration::minutes(6);

fn idle(core: &Core) -> Duration {
    Duration::minutes(i64::from(core.config.session_idle_minutes))
}

/// Looks at the session behind an access token: the token may outlive it, the row does not lie.
pub async fn authenticate(core: &Core, user: UserId, session: SessionId) -> Result<Session, Fault> {
    let found = store::find(&core.db, session, user).await?;
    alive(core, found).await
}

/// Finds the session of a session token.
pub async fn authenticate_token(core: &Core, text: &str) -> Result<Session, Fault> {
    let token = Token::parse(TokenKind::Session, text).ok_or(Error::Ended)?;
    let found = store::find_by_token(&core.db, &token.hash(&core.keys)).await?;
    alive(core, found).await
}

async fn alive(core: &Core, found: Option<Session>) -> Result<Session, Fault> {
    let now = core.now();
    let session = found
        .filter(|session| session.is_alive(now, idle(core)))
        .ok_or(Error::Ended)?;
    if session.is_stale(now) {
        store::seen(&core.db, session.id(), now).await?;
    }
    Ok(session)
}

/// A new access token for the session of a session token.
pub async fn renew(core: &Core, text: &str) -> Result<(String, Timestamp), Fault> {
    let session = authenticate_token(core, text).await?;
    Ok(core.tokens.sign(session.user(), session.id()))
}

/// Sessions of a person that are good now, the one used last first.
pub async fn list(core: &Core, user: UserId) -> Result<Vec<Session>, Fault> {
    let now = core.now();
    Ok(store::live(&core.db, user, now, now - idle(core)).await?)
}

/// Ends one session of a person. Ending an ended one is no error.
pub async fn revoke(core: &Core, user: UserId, session: SessionId) -> Result<(), Fault> {
    if store::find(&core.db, session, user).await?.is_none() {
        return Err(Error::NotFound.into());
    }
    revoke_now(core, user, Which::One(session), "ended by the person")
        .await
        .map(drop)
}

/// Ends a person's other sessions and says how many there were.
pub async fn revoke_others(core: &Core, user: UserId, current: SessionId) -> Result<usize, Fault> {
    revoke_now(core, user, Which::AllBut(current), "ended by the person").await
}

/// Ends the session that asks.
pub async fn log_out(core: &Core, user: UserId, session: SessionId) -> Result<(), Fault> {
    revoke_now(core, user, Which::One(session), "logged out")
        .await
        .map(drop)
}

async fn revoke_now(core: &Core, user: UserId, which: Which, because: &str) -> Result<usize, Fault> {
    let mut tx = core.db.begin().await?;
    users::lock(&mut tx, user).await?;
    let ended = revoke_in_tx(core, &mut tx, user, &which, because, core.now()).await?;
    core.commit(tx).await?;
    core.forget(&ended);
    Ok(ended.len())
}

/// Ends sessions in the caller's transaction, which holds the user's lock. After the commit the caller passes the result
/// to [`Core::forget`].
pub(crate) async fn revoke_in_tx(
    core: &Core,
    tx: &mut Tx,
    user: UserId,
    which: &Which,
    because: &str,
    now: Timestamp,
) -> Result<Vec<SessionId>, Fault> {
    if matches!(which, Which::All | Which::AllBut(_)) {
        store::drop_pending(tx, user).await?;
    }
    let ended = store::revoke(tx, user, which, because, now).await?;
    for session in &ended {
        let event = SessionRevoked {
            session: *session,
            user,
            tokens_expire_at: now + TOKENS_LIVE,
        };
        core.publish(tx, session, now, &event).await?;
    }
    Ok(ended)
}

impl Core {
    /// Makes this process refuse the access tokens of sessions whose end is committed; others hear of it by event.
    pub(crate) fn forget(&self, ended: &[SessionId]) {
        for session in ended {
            self.verifier.revoke(*session);
        }
    }
}
