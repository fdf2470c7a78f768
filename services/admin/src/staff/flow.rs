use ferrex_fault::{Fault, Kind};
use ferrex_ids::StaffId;
use ferrex_time::{Duration, Timestamp};
use serde_json::json;
use zeroize::Zeroizing;

use super::model::{authenticator, new_secret, step_of};
use super::{Error, Password, Staff, StaffName, store};
use crate::Admin;
use crate::audit::{self, NewEntry, Outcome};
use crate::secrets::{Token, TokenKind};
use crate::sessions::Actor;

/// What a person puts into the authenticator app while setting up.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base32.
    pub secret: String,
    /// The same as an address that apps read from a QR code.
    pub otpauth_uri: String,
}

/// What a person sends to end the set-up.
#[derive(Debug)]
pub struct SetUp {
    /// The link's token.
    pub token: String,
    /// The chosen name.
    pub name: String,
    /// The chosen password.
    pub password: Password,
    /// What the authenticator shows.
    pub code: String,
}

fn defect(detail: impl Into<String>) -> Fault {
    Fault::new(Kind::Internal, "admin.internal", detail)
}

fn entry(actor: Option<&Actor>, action: &str, subject: String) -> NewEntry {
    NewEntry {
        actor: actor.map(|actor| actor.staff),
        actor_name: actor.map_or_else(|| "system".to_owned(), |actor| actor.name.clone()),
        action: action.to_owned(),
        subject,
        reason: None,
        request_id: ferrex_web::current_request_id(),
        outcome: Outcome::Done,
        attempt: None,
        before: None,
        after: None,
    }
}

/// The link for the first account, when there is none yet. Each start makes another; what is used first voids the rest.
pub async fn first_link(admin: &Admin) -> Result<Option<String>, Fault> {
    if store::any(&admin.db).await? {
        return Ok(None);
    }
    make_link(admin, None).await.map(|(link, _)| Some(link))
}

/// A link for another account, with the moment until which it is good.
pub async fn invite(admin: &Admin, actor: &Actor) -> Result<(String, Timestamp), Fault> {
    make_link(admin, Some(actor)).await
}

async fn make_link(admin: &Admin, actor: Option<&Actor>) -> Result<(String, Timestamp), Fault> {
    let token = Token::generate(TokenKind::Setup);
    let now = admin.now();
    let expires_at = now + Duration::hours(i64::from(admin.config.setup_hours));
    let mut tx = admin.db.begin().await?;
    let invited_by = actor.map(|actor| actor.staff);
    store::insert_link(&mut tx, &token.hash(&admin.keys), invited_by, now, expires_at).await?;
    let made = NewEntry {
        after: Some(json!({ "expires_at": expires_at }).to_string()),
        ..entry(actor, "staff.invite", "setup_link".into())
    };
    audit::append_in_tx(admin, &mut tx, made).await?;
    admin.commit(tx).await?;
    // Behind the `#` the token is sent to no server and stands in no log of one.
    Ok((
        format!(
            "{}/setup#{}",
            admin.config.public_url.trim_end_matches('/'),
            token.reveal()
        ),
        expires_at,
    ))
}

/// Begins the set-up: a new authenticator for this link, in place of an earlier one.
pub async fn begin_set_up(admin: &Admin, token: &str) -> Result<Enrolment, Fault> {
    let token = Token::parse(TokenKind::Setup, token).ok_or(Error::LinkInvalid)?;
    let token_hash = token.hash(&admin.keys);
    let mut tx = admin.db.begin().await?;
    store::lock_link(&mut tx, &token_hash, admin.now())
        .await?
        .ok_or(Error::LinkInvalid)?;
    let secret = new_secret();
    let sealed = admin.keys.seal(&token_hash, secret.as_slice());
    store::set_link_secret(&mut tx, &token_hash, &sealed).await?;
    admin.commit(tx).await?;
    // The name is not chosen yet; authenticator apps want one.
    let totp = authenticator(secret.as_slice(), &admin.config.issuer, "staff").map_err(defect)?;
    let otpauth_uri = totp.to_url().map_err(|error| defect(error.to_string()))?;
    Ok(Enrolment {
        secret: totp.secret().to_base32(),
        otpauth_uri,
    })
}

/// Ends the set-up: makes the account and uses up the link.
pub async fn set_up(admin: &Admin, set_up: SetUp) -> Result<Staff, Fault> {
    let token = Token::parse(TokenKind::Setup, &set_up.token).ok_or(Error::LinkInvalid)?;
    let name = StaffName::parse(&set_up.name)?;
    // Hashing takes long, so it comes before the transaction; who has no link does not get that far.
    let (token_hash, now) = (token.hash(&admin.keys), admin.now());
    let mut tx = admin.db.begin().await?;
    store::lock_link(&mut tx, &token_hash, now)
        .await?
        .ok_or(Error::LinkInvalid)?;
    drop(tx);
    let password = admin.passwords.accept(set_up.password, &name).await?;

    let mut tx = admin.db.begin().await?;
    store::lock_first_account(&mut tx).await?;
    let link = store::lock_link(&mut tx, &token_hash, now)
        .await?
        .ok_or(Error::LinkInvalid)?;
    let sealed = link.totp_sealed.ok_or(Error::NotBegun)?;
    let secret: Zeroizing<Vec<u8>> = admin
        .keys
        .open(&token_hash, &sealed)
        .map_err(|error| defect("opening an authenticator being enrolled").with_source(error))?;
    let totp = authenticator(&secret, &admin.config.issuer, "staff").map_err(defect)?;
    let step = step_of(&totp, &set_up.code, now).ok_or(Error::CodeWrong)?;
    let staff = Staff {
        id: admin.id(),
        name,
        created_at: now,
        disabled_at: None,
    };
    let sealed = admin.keys.seal(staff.id.uuid().as_bytes(), &secret);
    if !store::insert(&mut tx, &staff, &password, &sealed, step).await? {
        return Err(Error::NameTaken.into());
    }
    store::use_link(&mut tx, &token_hash, staff.id, now).await?;
    let made = NewEntry {
        actor: Some(staff.id),
        actor_name: staff.name.as_str().to_owned(),
        after: Some(
            json!({ "invited_by": link.invited_by.map(|id| StaffId::from_uuid(id).to_string()) }).to_string(),
        ),
        ..entry(None, "staff.set_up", staff.id.to_string())
    };
    audit::append_in_tx(admin, &mut tx, made).await?;
    admin.commit(tx).await?;
    Ok(staff)
}

/// Takes an account's right to log in and ends its sessions. Nobody does it to themselves, so somebody is left.
pub async fn disable(admin: &Admin, actor: &Actor, staff: StaffId, reason: String) -> Result<(), Fault> {
    if staff == actor.staff {
        return Err(Error::OwnAccount.into());
    }
    let mut tx = admin.db.begin().await?;
    let name = store::disable(&mut tx, staff, admin.now())
        .await?
        .ok_or(Error::NotFound)?;
    let done = NewEntry {
        reason: Some(reason),
        before: Some(json!({ "name": name, "disabled": false }).to_string()),
        after: Some(json!({ "name": name, "disabled": true }).to_string()),
        ..entry(Some(actor), "staff.disable", staff.to_string())
    };
    audit::append_in_tx(admin, &mut tx, done).await?;
    admin.commit(tx).await
}
