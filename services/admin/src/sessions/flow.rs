use ferrex_fault::{Fault, Kind};
use ferrex_ids::{StaffId, StaffSessionId};
use ferrex_time::{Duration, Timestamp};
use serde_json::json;

use super::{Actor, Client, Error, Session, store};
use crate::audit::{self, NewEntry, Outcome};
use crate::secrets::{Token, TokenKind};
use crate::staff::{self, Password};
use crate::{Admin, throttle};

/// What a person sends to log in.
#[derive(Debug)]
pub struct LogIn {
    /// Their name.
    pub name: String,
    /// Their password.
    pub password: Password,
    /// What the authenticator shows.
    pub code: String,
}

/// A new session.
#[derive(Debug)]
pub struct LoggedIn {
    /// Shown once.
    pub token: Token,
    /// Who.
    pub staff: StaffId,
    /// Which.
    pub session: StaffSessionId,
    /// Until when at most.
    pub expires_at: Timestamp,
}

fn entry(staff: Option<StaffId>, name: &str, action: &str, subject: String, outcome: Outcome) -> NewEntry {
    NewEntry {
        actor: staff,
        actor_name: name.to_owned(),
        action: action.to_owned(),
        subject,
        reason: None,
        request_id: ferrex_web::current_request_id(),
        outcome,
        attempt: None,
        before: None,
        after: None,
    }
}

/// Checks name, password and code together and begins a session.
///
/// The tries of a name and of a network are counted before anything is looked at and given back after a success. Which
/// of the three was wrong is not said, and an unknown name takes as long as a known one.
pub async fn log_in(admin: &Admin, client: &Client, log_in: LogIn) -> Result<LoggedIn, Fault> {
    let limits = &admin.config;
    let network = throttle::take(
        admin,
        "login network",
        &client.network(),
        limits.logins_per_network,
    )
    .await??;
    let name = log_in.name.to_lowercase();
    let named = throttle::take(admin, "login name", &name, limits.logins_per_name).await??;
    let account = staff::find_by_name(&admin.db, &name)
        .await?
        .filter(|account| !account.disabled);
    let hash = account.as_ref().map(|account| account.password.clone());
    let right = admin.passwords.verify(log_in.password, hash).await?;
    let (Some(account), true) = (account, right) else {
        return Err(refuse(admin, client, &name).await);
    };
    let secret = admin
        .keys
        .open(account.id.uuid().as_bytes(), &account.totp_sealed)
        .map_err(|error| {
            Fault::new(
                Kind::Internal,
                "admin.internal",
                "opening an authenticator's secret",
            )
            .with_source(error)
        })?;
    let totp = staff::authenticator(&secret, &admin.config.issuer, "staff")
        .map_err(|error| Fault::new(Kind::Internal, "admin.internal", error))?;
    let now = admin.now();
    let Some(step) = staff::step_of(&totp, &log_in.code, now) else {
        return Err(refuse(admin, client, &name).await);
    };

    let mut tx = admin.db.begin().await?;
    if !staff::use_step(&mut tx, account.id, step).await? {
        drop(tx);
        return Err(refuse(admin, client, &name).await);
    }
    let (token, session) = (Token::generate(TokenKind::Session), admin.id());
    let expires_at = now + Duration::hours(i64::from(admin.config.session_hours));
    store::insert(
        &mut tx,
        session,
        &token.hash(&admin.keys),
        account.id,
        client,
        now,
        expires_at,
    )
    .await?;
    let done = NewEntry {
        after: Some(json!({ "address": client.address, "user_agent": client.user_agent }).to_string()),
        ..entry(
            Some(account.id),
            &name,
            "session.log_in",
            session.to_string(),
            Outcome::Done,
        )
    };
    audit::append_in_tx(admin, &mut tx, done).await?;
    admin.commit(tx).await?;
    throttle::give_back(admin, &named).await?;
    throttle::give_back(admin, &network).await?;
    Ok(LoggedIn {
        token,
        staff: account.id,
        session,
        expires_at,
    })
}

/// Writes a refused log-in down and answers with the one refusal there is.
async fn refuse(admin: &Admin, client: &Client, name: &str) -> Fault {
    // What was typed as a name may be a password typed into the wrong field, so only a name's form is kept.
    let shown = if staff::StaffName::parse(name).is_ok() {
        name
    } else {
        "(not a name)"
    };
    let refused = NewEntry {
        after: Some(json!({ "address": client.address }).to_string()),
        ..entry(None, shown, "session.log_in", "staff".into(), Outcome::Refused)
    };
    match audit::append(admin, refused).await {
        Ok(_) => Error::Refused.into(),
        Err(fault) => fault,
    }
}

fn idle(admin: &Admin) -> Duration {
    Duration::minutes(i64::from(admin.config.session_idle_minutes))
}

/// Who a token stands for.
pub async fn authenticate(admin: &Admin, token: &str) -> Result<Actor, Fault> {
    let token = Token::parse(TokenKind::Session, token).ok_or(Error::NotLoggedIn)?;
    let found = store::find(&admin.db, &token.hash(&admin.keys), admin.now(), idle(admin)).await?;
    Ok(found.ok_or(Error::NotLoggedIn)?)
}

/// The good sessions of an account, the newest first.
pub async fn list(admin: &Admin, actor: &Actor) -> Result<Vec<Session>, Fault> {
    Ok(store::list(&admin.db, actor.staff, admin.now(), idle(admin)).await?)
}

/// Ends a session of the actor's own account.
pub async fn revoke(admin: &Admin, actor: &Actor, session: StaffSessionId) -> Result<(), Fault> {
    let mut tx = admin.db.begin().await?;
    if !store::revoke(&mut tx, actor.staff, session, admin.now()).await? {
        return Err(Error::NotFound.into());
    }
    let done = entry(
        Some(actor.staff),
        &actor.name,
        "session.revoke",
        session.to_string(),
        Outcome::Done,
    );
    audit::append_in_tx(admin, &mut tx, done).await?;
    admin.commit(tx).await
}
