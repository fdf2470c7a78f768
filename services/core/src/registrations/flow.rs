use ferrex_contracts::core::UserConfirmed;
use ferrex_fault::Fault;
use ferrex_ids::{ChallengeId, UserId};
use ferrex_postgres::Tx;
use ferrex_time::Timestamp;

use super::{Error, store};
use crate::Core;
use crate::challenges::{self, Challenge, Fresh, Presented, Purpose};
use crate::client::Client;
use crate::mail::{Mail, template};
use crate::passwords::{Password, PasswordContext};
use crate::users::{self, Email, UserName};

/// What a person chose.
#[derive(Debug)]
pub struct Registration {
    /// The address.
    pub email: Email,
    /// The name.
    pub user_name: UserName,
    /// The password.
    pub password: Password,
}

/// A registration that waits for the code.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Names it.
    pub id: ChallengeId,
    /// When its code ends.
    pub expires_at: Timestamp,
}

/// A new account.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// Who.
    pub user: UserId,
    /// The chosen name.
    pub user_name: String,
    /// The confirmed address.
    pub email: String,
}

/// Registers, and sends the mail that fits the address.
pub async fn register(core: &Core, client: &Client, wanted: Registration) -> Result<Pending, Fault> {
    let Registration {
        email,
        user_name,
        password,
    } = wanted;
    let now = core.now();
    core.limit_network("register", client, core.config.limits.registrations_per_network)
        .await?;
    if !users::is_name_free(&core.db, &user_name, email.key(), now).await? {
        return Err(Error::NameTaken.into());
    }
    let context = PasswordContext::new(email.as_str(), user_name.as_str());
    let password_hash = core.accept_password("password", password, context).await?;
    core.limit_mails(email.key()).await?;

    let existing = users::find_by_email(&core.db, email.key()).await?;
    let mut tx = core.db.begin().await?;
    let user = existing.as_ref().map(users::User::id);
    let fresh = challenges::create(
        core,
        &mut tx,
        Purpose::Registration,
        email.key(),
        user,
        user.is_some(),
        now,
    )
    .await?;
    let claimed = users::claim_name(&mut tx, user_name.as_str(), email.key(), fresh.expires_at, now).await?;
    if !claimed {
        return Err(Error::NameTaken.into());
    }
    let row = store::Row {
        user_name: user_name.as_str().to_owned(),
        email: email.as_str().to_owned(),
        password_hash,
    };
    store::insert(&mut tx, fresh.id.uuid(), &row).await?;
    // To a known address as its owner wrote it, not as whoever registers it now does.
    let to = existing
        .as_ref()
        .map_or(row.email.as_str(), |user| user.email.as_str());
    let known_as = existing.as_ref().map(|user| (user.id(), user.user_name.as_str()));
    send(core, &mut tx, now, to, known_as, &row.user_name, &fresh).await?;
    core.commit(tx).await?;
    Ok(Pending {
        id: fresh.id,
        expires_at: fresh.expires_at,
    })
}

async fn send(
    core: &Core,
    tx: &mut Tx,
    now: Timestamp,
    email: &str,
    known_as: Option<(UserId, &str)>,
    wanted_name: &str,
    fresh: &Fresh,
) -> Result<(), Fault> {
    let mail = match known_as {
        None => Mail {
            user: None,
            email,
            template: template::CONFIRM_EMAIL,
            params: core.code_params(wanted_name, "/register/confirm", &fresh.code, &fresh.token),
        },
        Some((user, user_name)) => Mail {
            user: Some(user),
            email,
            template: template::ALREADY_REGISTERED,
            params: vec![
                ("user_name", user_name.to_owned()),
                ("link", core.page("/login")),
                ("reset_link", core.page("/password/reset")),
            ],
        },
    };
    core.send(tx, now, mail).await
}

async fn open(tx: &mut Tx, id: ChallengeId, now: Timestamp) -> Result<Challenge, Fault> {
    let found = challenges::lock_by_id(tx, id).await?;
    let open = found.filter(|challenge| challenge.is_open(Purpose::Registration, now));
    Ok(open.ok_or(challenges::Error::NotFound)?)
}

/// Sends the mail of an open registration again, with a new code and link.
pub async fn resend(core: &Core, client: &Client, id: ChallengeId) -> Result<Pending, Fault> {
    let now = core.now();
    core.limit_network("register", client, core.config.limits.registrations_per_network)
        .await?;
    let mut tx = core.db.begin().await?;
    let email_key = open(&mut tx, id, now).await?.email_key;
    // Counting takes a connection of its own, so this one is given back first.
    drop(tx);
    core.limit_mails(&email_key).await?;
    let mut tx = core.db.begin().await?;
    let challenge = open(&mut tx, id, now).await?;
    let row = store::get(&mut tx, challenge.id).await?;
    let fresh = challenges::renew(core, &mut tx, &challenge, now).await?;
    if !users::claim_name(
        &mut tx,
        &row.user_name,
        &challenge.email_key,
        fresh.expires_at,
        now,
    )
    .await?
    {
        return Err(Error::NameTaken.into());
    }
    let known = match challenge.user() {
        Some(user) => users::lock(&mut tx, user).await?,
        None => None,
    };
    let known_as = known.as_ref().map(|user| (user.id(), user.user_name.as_str()));
    let to = known
        .as_ref()
        .map_or(row.email.as_str(), |user| user.email.as_str());
    send(core, &mut tx, now, to, known_as, &row.user_name, &fresh).await?;
    core.commit(tx).await?;
    Ok(Pending {
        id: fresh.id,
        expires_at: fresh.expires_at,
    })
}

/// Confirms the address by code or link; the registration becomes a user.
pub async fn confirm(core: &Core, client: &Client, presented: &Presented) -> Result<Confirmed, Fault> {
    let now = core.now();
    core.limit_network("answer", client, core.config.limits.answers_per_network)
        .await?;
    let (mut tx, challenge) = challenges::answer(core, presented, Purpose::Registration, now).await?;
    let row = store::get(&mut tx, challenge.id).await?;
    let email = Email::parse(&row.email).map_err(|_| challenges::Error::Wrong)?;
    let user: UserId = core.id();
    if !users::settle_name(&mut tx, &row.user_name, email.key()).await? {
        return Err(Error::NameTaken.into());
    }
    if !users::insert(&mut tx, user, &row.user_name, &email, &row.password_hash, now).await? {
        return Err(challenges::Error::Wrong.into());
    }
    challenges::consume(&mut tx, challenge.id, now).await?;
    challenges::void_open(&mut tx, Purpose::Registration, email.key(), now).await?;
    let event = UserConfirmed {
        user,
        username: row.user_name.clone(),
        email: email.as_str().to_owned(),
        version: 1,
    };
    core.publish(&mut tx, user, now, &event).await?;
    core.commit(tx).await?;
    Ok(Confirmed {
        user,
        user_name: row.user_name,
        email: email.as_str().to_owned(),
    })
}
