use ferrex_fault::Fault;
use ferrex_ids::{SessionId, UserId};
use ferrex_postgres::Tx;
use ferrex_time::{Duration, Timestamp};

use super::store::{self, Candidate, Which};
use super::{Error, describe, revoke_in_tx};
use crate::client::Client;
use crate::factors::{self, Binding};
use crate::mail::{Mail, template};
use crate::passwords::Password;
use crate::secrets::{Token, TokenKind};
use crate::users::{Email, User};
use crate::{Core, throttle, users};

/// How long a log-in waits for its second factor.
const LOGIN_LIVES: Duration = Duration::minutes(5);
/// How long a place stays familiar after a log-in from it.
const FAMILIAR: Duration = Duration::days(90);

/// What a log-in came to.
#[derive(Debug)]
pub enum LoggedIn {
    /// There is a session.
    Session(Issued),
    /// The second factor is owed.
    FactorOwed {
        /// To be sent with the code.
        token: Token,
        /// When it is over.
        expires_at: Timestamp,
    },
}

/// A new session and its tokens.
#[derive(Debug)]
pub struct Issued {
    /// The session.
    pub session: SessionId,
    /// Whose.
    pub user: UserId,
    /// To be kept by the client.
    pub token: Token,
    /// When the session ends in any case.
    pub expires_at: Timestamp,
    /// For calls to all services.
    pub access_token: String,
    /// When that ends.
    pub access_expires_at: Timestamp,
}

/// Logs in with address and password. Whether the address is known shows neither in the answer nor in its time.
pub async fn log_in(
    core: &Core,
    client: &Client,
    email: &Email,
    password: Password,
) -> Result<LoggedIn, Fault> {
    let now = core.now();
    let network = client.network();
    let familiar = store::is_familiar(&core.db, email.key(), &network, now - FAMILIAR).await?;
    let limits = &core.config.limits;
    let tried =
        throttle::begin_login(&core.db, &core.keys, now, limits, email.key(), &network, familiar).await??;
    let candidate = store::candidate(&core.db, email.key()).await?;
    let hash = candidate
        .as_ref()
        .map(|candidate| candidate.password_hash.clone());
    let right = core.hasher.verify(password, hash).await?;
    let Some(candidate) = candidate.filter(|_| right) else {
        if tried.stopped {
            tell_owner(core, email.key(), now).await?;
        }
        metrics::counter!("core_logins_total", "outcome" => "wrong").increment(1);
        tracing::info!(network, "log-in refused");
        return Err(Error::Wrong.into());
    };
    throttle::login_succeeded(&core.db, now, &tried).await?;
    let user = UserId::from_uuid(candidate.id);
    let mut tx = core.db.begin().await?;
    if factors::is_enrolled(&mut tx, user).await? {
        let token = Token::generate(TokenKind::Login);
        let expires_at = now + LOGIN_LIVES;
        let id = core.id::<ferrex_ids::Challenge>().uuid();
        store::add_pending(&mut tx, id, user, &token.hash(&core.keys), expires_at).await?;
        core.commit(tx).await?;
        return Ok(LoggedIn::FactorOwed { token, expires_at });
    }
    issue(core, tx, client, user, Some(&candidate), now)
        .await
        .map(LoggedIn::Session)
}

/// Ends a log-in with the second factor.
pub async fn finish(core: &Core, client: &Client, login_token: &str, code: &str) -> Result<Issued, Fault> {
    let now = core.now();
    let token = Token::parse(TokenKind::Login, login_token).ok_or(Error::LoginOver)?;
    let hash = token.hash(&core.keys);
    let user = store::pending_user(&core.db, &hash, now)
        .await?
        .ok_or(Error::LoginOver)?;
    factors::check(core, user, code, &Binding::once("core.login")).await?;
    let mut tx = core.db.begin().await?;
    // The user first, as everywhere, so that a password reset and this cannot wait for each other.
    users::lock(&mut tx, user).await?.ok_or(Error::LoginOver)?;
    if !store::take_pending(&mut tx, &hash).await? {
        return Err(Error::LoginOver.into());
    }
    issue(core, tx, client, user, None, now).await
}

/// Adds the session. `checked`: whose password was compared; a reset that came in between voids the log-in.
async fn issue(
    core: &Core,
    mut tx: Tx,
    client: &Client,
    user: UserId,
    checked: Option<&Candidate>,
    now: Timestamp,
) -> Result<Issued, Fault> {
    let person = users::lock(&mut tx, user).await?.ok_or(Error::Wrong)?;
    if let Some(checked) = checked
        && users::password_hash_in_tx(&mut tx, user).await?.as_deref() != Some(&checked.password_hash)
    {
        return Err(Error::Wrong.into());
    }
    let (any, here) = store::places(&mut tx, user, &client.network(), now - FAMILIAR).await?;
    if any && !here {
        tell_of_place(core, &mut tx, client, &person, now).await?;
    }
    let (session, token) = (core.id(), Token::generate(TokenKind::Session));
    let expires_at = now + Duration::days(i64::from(core.config.session_days));
    store::insert(
        &mut tx,
        session,
        user,
        &token.hash(&core.keys),
        client,
        now,
        expires_at,
    )
    .await?;
    let beyond = Which::Beyond {
        new: session,
        keep: i64::from(core.config.sessions_max.max(1)),
    };
    let ended = revoke_in_tx(core, &mut tx, user, &beyond, "too many sessions", now).await?;
    core.commit(tx).await?;
    core.forget(&ended);
    metrics::counter!("core_logins_total", "outcome" => "session").increment(1);
    let (access_token, access_expires_at) = core.tokens.sign(user, session);
    Ok(Issued {
        session,
        user,
        token,
        expires_at,
        access_token,
        access_expires_at,
    })
}

/// Tells a person of a log-in from a place that is new.
async fn tell_of_place(
    core: &Core,
    tx: &mut Tx,
    client: &Client,
    person: &User,
    now: Timestamp,
) -> Result<(), Fault> {
    let params = vec![
        ("user_name", person.user_name.clone()),
        ("at", now.format("%Y-%m-%d %H:%M UTC").to_string()),
        ("device", describe(&client.user_agent)),
        ("address", client.address.to_string()),
    ];
    let template = template::NEW_LOGIN;
    core.send(
        tx,
        now,
        Mail {
            user: Some(person.id()),
            email: &person.email,
            template,
            params,
        },
    )
    .await
}

/// Tells the owner that log-ins from strange places were stopped (A02).
async fn tell_owner(core: &Core, email_key: &str, now: Timestamp) -> Result<(), Fault> {
    let Some(owner) = store::candidate(&core.db, email_key).await? else {
        return Ok(());
    };
    let mut tx = core.db.begin().await?;
    let mail = Mail {
        user: Some(UserId::from_uuid(owner.id)),
        email: &owner.email,
        template: template::LOGIN_STOPPED,
        params: vec![
            ("user_name", owner.user_name.clone()),
            ("reset_link", core.page("/password/reset")),
        ],
    };
    core.send(&mut tx, now, mail).await?;
    core.commit(tx).await
}
