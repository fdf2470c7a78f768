use ferrex_fault::Fault;
use ferrex_ids::{ChallengeId, SessionId, UserId};
use ferrex_postgres::Tx;
use ferrex_time::Timestamp;

use crate::challenges::{self, Presented, Purpose};
use crate::client::Client;
use crate::factors::{self, Binding};
use crate::mail::{Mail, template};
use crate::passwords::{Password, PasswordContext};
use crate::sessions::{self, Which};
use crate::users::{self, Email, User};
use crate::{Core, throttle};

/// A reset that waits for the code.
#[derive(Clone, Copy, Debug)]
pub struct Requested {
    /// Names it.
    pub id: ChallengeId,
    /// When its code ends.
    pub expires_at: Timestamp,
}

/// What answers a reset.
#[derive(Debug)]
pub struct NewPassword {
    /// Code or link.
    pub presented: Presented,
    /// The new password.
    pub password: Password,
    /// A code of the second factor, when one is enrolled.
    pub code: Option<String>,
}

/// Sends a code to an address; to an unknown one, a mail that says so. Both take the same path (A03).
pub async fn request(core: &Core, client: &Client, email: &Email) -> Result<Requested, Fault> {
    let now = core.now();
    core.limit_network("reset", client, core.config.limits.resets_per_network)
        .await?;
    core.limit_mails(email.key()).await?;
    let owner = users::find_by_email(&core.db, email.key()).await?;
    let mut tx = core.db.begin().await?;
    challenges::void_open(&mut tx, Purpose::PasswordReset, email.key(), now).await?;
    let user = owner.as_ref().map(User::id);
    let fresh = challenges::create(
        core,
        &mut tx,
        Purpose::PasswordReset,
        email.key(),
        user,
        user.is_none(),
        now,
    )
    .await?;
    let mail = match &owner {
        Some(owner) => Mail {
            user,
            email: &owner.email,
            template: template::PASSWORD_RESET,
            params: core.code_params(
                &owner.user_name,
                "/password/reset/confirm",
                &fresh.code,
                &fresh.token,
            ),
        },
        None => Mail {
            user: None,
            email: email.as_str(),
            template: template::NO_ACCOUNT,
            params: vec![("link", core.page("/register"))],
        },
    };
    core.send(&mut tx, now, mail).await?;
    core.commit(tx).await?;
    Ok(Requested {
        id: fresh.id,
        expires_at: fresh.expires_at,
    })
}

/// Sets a new password by code or link. Who has a second factor gives a code of it too (A09); every session ends.
pub async fn confirm(core: &Core, client: &Client, wanted: NewPassword) -> Result<(), Fault> {
    let NewPassword {
        presented,
        password,
        code,
    } = wanted;
    core.limit_network("answer", client, core.config.limits.answers_per_network)
        .await?;
    // First look: whether the code is right. Hashing comes next and takes its time, so nothing stays locked meanwhile.
    let (tx, challenge) = challenges::answer(core, &presented, Purpose::PasswordReset, core.now()).await?;
    drop(tx);
    let user = challenge.user().ok_or(challenges::Error::Wrong)?;
    let person = core.user(user).await?;
    let context = PasswordContext::new(&person.email, &person.user_name);
    let hash = core.accept_password("password", password, context).await?;
    if person.second_factor {
        let code = code.ok_or_else(|| second_factor(factors::Error::Required))?;
        factors::check(core, user, &code, &Binding::once("core.password.reset"))
            .await
            .map_err(second_factor)?;
    }
    // Second look, with the lock: somebody may have been faster.
    let now = core.now();
    let (mut tx, challenge) = challenges::answer(core, &presented, Purpose::PasswordReset, now).await?;
    challenges::consume(&mut tx, challenge.id, now).await?;
    let locked = users::lock(&mut tx, user)
        .await?
        .ok_or(challenges::Error::Wrong)?;
    if locked.second_factor && !person.second_factor {
        // A factor was enrolled between the two looks.
        return Err(second_factor(factors::Error::Required));
    }
    let ended = replace(core, &mut tx, &locked, &hash, &Which::All, now).await?;
    throttle::clear_login(&mut tx, &core.keys, &locked.email_key, &client.network()).await?;
    users::credentials_changed(core, &mut tx, user, now).await?;
    core.commit(tx).await?;
    core.forget(&ended);
    Ok(())
}

/// A refusal of the second factor's code, which is the field `second_factor_code` here: `code` is the one of the mail.
fn second_factor(error: impl Into<Fault>) -> Fault {
    let mut fault = error.into();
    for at_fault in &mut fault.fields {
        if at_fault.field == "code" {
            "second_factor_code".clone_into(&mut at_fault.field);
        }
    }
    fault
}

/// Sets a new password for a logged-in person, who gives the old one and, with a second factor, a code. Other sessions end.
pub async fn change(
    core: &Core,
    user: UserId,
    session: SessionId,
    old: Password,
    new: Password,
    code: Option<&str>,
) -> Result<(), Fault> {
    let person = core.user(user).await?;
    core.reauthenticate(user, "password", old).await?;
    let context = PasswordContext::new(&person.email, &person.user_name);
    let hash = core.accept_password("new_password", new, context).await?;
    if person.second_factor {
        let code = code.ok_or(factors::Error::Required)?;
        factors::check(core, user, code, &Binding::once("core.password.change")).await?;
    }
    let now = core.now();
    let mut tx = core.db.begin().await?;
    let locked = users::lock(&mut tx, user).await?.ok_or(users::Error::NotFound)?;
    let ended = replace(core, &mut tx, &locked, &hash, &Which::AllBut(session), now).await?;
    users::credentials_changed(core, &mut tx, user, now).await?;
    core.commit(tx).await?;
    core.forget(&ended);
    Ok(())
}

async fn replace(
    core: &Core,
    tx: &mut Tx,
    person: &User,
    hash: &str,
    which: &Which,
    now: Timestamp,
) -> Result<Vec<SessionId>, Fault> {
    users::set_password(tx, person.id(), hash).await?;
    let ended = sessions::revoke_in_tx(core, tx, person.id(), which, "password changed", now).await?;
    let params = vec![("user_name", person.user_name.clone())];
    let template = template::PASSWORD_CHANGED;
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
    .await?;
    Ok(ended)
}
