use ferrex_fault::Fault;
use ferrex_ids::{ChallengeId, UserId};
use ferrex_postgres::Tx;
use ferrex_time::{Duration, Timestamp};

use super::{Challenge, Error, Fresh, Presented, Purpose, store};
use crate::Core;
use crate::secrets::{MailCode, Token, TokenKind};

fn fresh(core: &Core, id: ChallengeId, now: Timestamp) -> Fresh {
    let expires_at = now + Duration::minutes(i64::from(core.config.code_minutes));
    Fresh {
        id,
        code: MailCode::generate(),
        token: Token::generate(TokenKind::Link),
        expires_at,
    }
}

/// Stores a new challenge and gives what to send.
pub(crate) async fn create(
    core: &Core,
    tx: &mut Tx,
    purpose: Purpose,
    email_key: &str,
    user: Option<UserId>,
    decoy: bool,
    now: Timestamp,
) -> Result<Fresh, Fault> {
    let fresh = fresh(core, core.id(), now);
    let row = store::Row {
        id: fresh.id,
        purpose,
        email_key,
        user,
        decoy,
        code_hash: fresh.code.hash(&core.keys, fresh.id.uuid().as_bytes()),
        token_hash: fresh.token.hash(&core.keys),
        now,
        expires_at: fresh.expires_at,
    };
    store::insert(tx, row).await?;
    Ok(fresh)
}

/// Gives a locked challenge a new code and link; the old ones are worthless from now on (H085).
pub(crate) async fn renew(
    core: &Core,
    tx: &mut Tx,
    challenge: &Challenge,
    now: Timestamp,
) -> Result<Fresh, Fault> {
    let fresh = fresh(core, ChallengeId::from_uuid(challenge.id), now);
    let code_hash = fresh.code.hash(&core.keys, challenge.id.as_bytes());
    store::replace_code(
        tx,
        challenge.id,
        code_hash,
        fresh.token.hash(&core.keys),
        fresh.expires_at,
    )
    .await?;
    Ok(fresh)
}

/// Checks an answer and gives the challenge, locked in the transaction that is handed back with it. A wrong code is
/// counted before this returns, so that it cannot be taken back by breaking off.
pub(crate) async fn answer(
    core: &Core,
    presented: &Presented,
    purpose: Purpose,
    now: Timestamp,
) -> Result<(Tx, Challenge), Fault> {
    let mut tx = core.db.begin().await?;
    match presented {
        Presented::Token(token) => {
            let hash = token
                .as_ref()
                .map(|token| token.hash(&core.keys))
                .unwrap_or_default();
            let found = store::lock_by_token(&mut tx, &hash).await?;
            let found = found.filter(|challenge| challenge.can_be_answered(purpose, now));
            Ok((tx, found.ok_or(Error::Wrong)?))
        }
        Presented::Code { challenge, code } => {
            let found = store::lock_by_id(&mut tx, *challenge)
                .await?
                .ok_or(Error::Wrong)?;
            let right = code
                .as_ref()
                .is_some_and(|code| found.takes(purpose, code, &core.keys, now));
            if right {
                return Ok((tx, found));
            }
            store::count_wrong(&mut tx, found.id).await?;
            core.commit(tx).await?;
            Err(Error::Wrong.into())
        }
    }
}
