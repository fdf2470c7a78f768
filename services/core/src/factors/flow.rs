use ferrex_fault::{Fault, Kind};
use ferrex_ids::UserId;
use ferrex_postgres::Tx;
use ferrex_time::{Duration, Timestamp};

use super::model::{REPEATABLE, authenticator, new_secret, step_of};
use super::{Binding, Code, Error, RECOVERY_CODES, store};
use crate::mail::{Mail, template};
use crate::passwords::Password;
use crate::secrets::RecoveryCode;
use crate::users::{self, User};
use crate::{Core, throttle};

/// How long an enrolment waits for its first code.
const ENROLMENT_LIVES: Duration = Duration::minutes(15);

/// What a person sees of the second factor.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Since when an authenticator is enrolled.
    pub enrolled_at: Option<Timestamp>,
    /// Recovery codes that are left.
    pub recovery_codes_left: i64,
}

/// What a person puts into the authenticator app.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base32.
    pub secret: String,
    /// The same as an address that apps read from a QR code.
    pub otpauth_uri: String,
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
}

fn defect(detail: impl Into<String>) -> Fault {
    Fault::new(Kind::Internal, "core.internal", detail)
}

/// What a person sees of the second factor.
pub async fn status(core: &Core, user: UserId) -> Result<Status, Fault> {
    let factor = store::factor(&core.db, user).await?;
    let recovery_codes_left = store::recovery_codes_left(&core.db, user).await?;
    Ok(Status {
        enrolled_at: factor.map(|(_, at)| at),
        recovery_codes_left,
    })
}

/// Checks a code for an action of another service. A frozen person gets none.
pub async fn verify_for(
    core: &Core,
    user: UserId,
    code: &str,
    action: &str,
    payload: &str,
) -> Result<(), Fault> {
    if !(1..=100).contains(&action.len()) || !(1..=200).contains(&payload.len()) {
        return Err(Fault::new(
            Kind::Invalid,
            "core.input.invalid",
            "action and binding must be given",
        ));
    }
    if core.user(user).await?.is_frozen() {
        return Err(users::Error::Frozen.into());
    }
    check(core, user, code, &Binding::to(action, payload)).await
}

/// Checks a code and uses it up for one action.
///
/// The try is counted before the code is looked at and given back when it was right, so that a million tries at once over
/// many sessions are a million tries of one account (A05).
pub async fn check(core: &Core, user: UserId, code: &str, binding: &Binding<'_>) -> Result<(), Fault> {
    const WHAT: &str = "too many wrong codes";
    let (now, subject) = (core.now(), user.to_string());
    let (sealed, _) = store::factor(&core.db, user).await?.ok_or(Error::NotEnrolled)?;
    let code = Code::parse(code).ok_or(Error::Wrong)?;
    let limits = &core.config.limits;
    let long = limits.factors_per_user_long;
    let short = throttle::take(
        &core.db,
        &core.keys,
        now,
        "factor",
        &subject,
        limits.factors_per_user,
        WHAT,
    )
    .await??;
    let long = throttle::take(&core.db, &core.keys, now, "factor long", &subject, long, WHAT).await??;

    let code_hash = match &code {
        Code::Totp(digits) => core.keys.hash("totp code", digits.as_bytes()),
        Code::Recovery(recovery) => recovery.hash(&core.keys),
    };
    match store::earlier_use(&core.db, user, &code_hash, binding, now - REPEATABLE).await? {
        Some(true) => {}
        Some(false) if matches!(code, Code::Recovery(_)) => return Err(Error::Used.into()),
        _ => use_up(core, user, &code, &code_hash, &sealed, binding, now).await?,
    }
    throttle::give_back(&core.db, &short).await?;
    throttle::give_back(&core.db, &long).await?;
    Ok(())
}

async fn use_up(
    core: &Core,
    user: UserId,
    code: &Code,
    code_hash: &[u8],
    sealed: &[u8],
    binding: &Binding<'_>,
    now: Timestamp,
) -> Result<(), Fault> {
    let proof = match code {
        Code::Recovery(_) => code_hash.to_vec(),
        Code::Totp(digits) => {
            let step = step_of(&open(core, user, sealed)?, digits, now).ok_or(Error::Wrong)?;
            // The secret is part of it: a factor that replaces another has steps of its own.
            core.keys
                .hash("totp step", &[sealed, &step.to_be_bytes()].concat())
        }
    };
    let mut tx = core.db.begin().await?;
    if let Code::Recovery(_) = code {
        let person = users::lock(&mut tx, user).await?.ok_or(Error::Wrong)?;
        if !store::take_recovery_code(&mut tx, user, code_hash).await? {
            return Err(Error::Wrong.into());
        }
        tell(core, &mut tx, now, &person, "recovery_code_used").await?;
    }
    if !store::add_use(&mut tx, user, &proof, code_hash, binding, now).await? {
        return Err(Error::Used.into());
    }
    core.commit(tx).await
}

fn open(core: &Core, user: UserId, sealed: &[u8]) -> Result<totp_rs::Totp, Fault> {
    let secret = core
        .keys
        .open(user.uuid().as_bytes(), sealed)
        .map_err(|error| defect("opening an authenticator's secret").with_source(error))?;
    authenticator(&secret, &core.config.issuer, "account").map_err(defect)
}

/// Begins to enrol an authenticator. The password is asked again; who has a factor already also gives a code of it (A11).
pub async fn begin_enrolment(
    core: &Core,
    user: UserId,
    password: Password,
    code: Option<&str>,
) -> Result<Enrolment, Fault> {
    let person = core.user(user).await?;
    core.reauthenticate(user, "password", password).await?;
    if person.second_factor {
        let code = code.ok_or(Error::Required)?;
        check(core, user, code, &Binding::once("core.second_factor.replace")).await?;
    }
    let secret = new_secret();
    let expires_at = core.now() + ENROLMENT_LIVES;
    let sealed = core.keys.seal(user.uuid().as_bytes(), secret.as_slice());
    let totp = authenticator(secret.as_slice(), &core.config.issuer, &person.email).map_err(defect)?;
    let otpauth_uri = totp.to_url().map_err(|error| defect(error.to_string()))?;
    store::put_enrolment(&core.db, user, &sealed, expires_at).await?;
    Ok(Enrolment {
        secret: totp.secret().to_base32(),
        otpauth_uri,
        expires_at,
    })
}

/// Ends an enrolment with the first code of the new authenticator, and gives new recovery codes, shown only now.
pub async fn confirm_enrolment(core: &Core, user: UserId, code: &str) -> Result<Vec<String>, Fault> {
    const WHAT: &str = "too many wrong codes";
    let (now, subject) = (core.now(), user.to_string());
    let limit = core.config.limits.factors_per_user;
    let attempt = throttle::take(&core.db, &core.keys, now, "enrolment", &subject, limit, WHAT).await??;
    let mut tx = core.db.begin().await?;
    let person = users::lock(&mut tx, user).await?.ok_or(users::Error::NotFound)?;
    let sealed = store::enrolment(&mut tx, user, now)
        .await?
        .ok_or(Error::NoEnrolment)?;
    let Some(Code::Totp(digits)) = Code::parse(code) else {
        return Err(Error::Wrong.into());
    };
    let step = step_of(&open(core, user, &sealed)?, &digits, now).ok_or(Error::Wrong)?;
    store::put_factor(&mut tx, user, &sealed, now).await?;
    store::remove_enrolment(&mut tx, user).await?;
    let proof = core
        .keys
        .hash("totp step", &[sealed.as_slice(), &step.to_be_bytes()].concat());
    let code_hash = core.keys.hash("totp code", digits.as_bytes());
    store::add_use(
        &mut tx,
        user,
        &proof,
        &code_hash,
        &Binding::once("core.second_factor.enrol"),
        now,
    )
    .await?;
    let codes = new_recovery_codes(core, &mut tx, user, now).await?;
    // Whoever took over a session must not enrol a factor of their own and withdraw at once. On the day of sign-up there is
    // nothing to take over yet, and the person wants to get to work.
    let fresh = now - person.created_at < Duration::hours(i64::from(core.config.fresh_hours));
    if person.second_factor || !fresh {
        users::credentials_changed(core, &mut tx, user, now).await?;
    }
    tell(
        core,
        &mut tx,
        now,
        &person,
        if person.second_factor {
            "replaced"
        } else {
            "enrolled"
        },
    )
    .await?;
    core.commit(tx).await?;
    throttle::give_back(&core.db, &attempt).await?;
    Ok(codes)
}

/// Removes the authenticator and the recovery codes. Needs the password and a code of the factor itself.
pub async fn disable(core: &Core, user: UserId, password: Password, code: &str) -> Result<(), Fault> {
    core.reauthenticate(user, "password", password).await?;
    check(core, user, code, &Binding::once("core.second_factor.disable")).await?;
    let now = core.now();
    let mut tx = core.db.begin().await?;
    let person = users::lock(&mut tx, user).await?.ok_or(users::Error::NotFound)?;
    if !store::remove_factor(&mut tx, user).await? {
        return Err(Error::NotEnrolled.into());
    }
    store::remove_enrolment(&mut tx, user).await?;
    store::put_recovery_codes(&mut tx, user, &[], now).await?;
    users::credentials_changed(core, &mut tx, user, now).await?;
    tell(core, &mut tx, now, &person, "removed").await?;
    core.commit(tx).await
}

/// Replaces the recovery codes; the old ones are worthless.
pub async fn replace_recovery_codes(core: &Core, user: UserId, code: &str) -> Result<Vec<String>, Fault> {
    check(
        core,
        user,
        code,
        &Binding::once("core.second_factor.recovery_codes"),
    )
    .await?;
    let now = core.now();
    let mut tx = core.db.begin().await?;
    let person = users::lock(&mut tx, user).await?.ok_or(users::Error::NotFound)?;
    let codes = new_recovery_codes(core, &mut tx, user, now).await?;
    tell(core, &mut tx, now, &person, "recovery_codes").await?;
    core.commit(tx).await?;
    Ok(codes)
}

async fn new_recovery_codes(
    core: &Core,
    tx: &mut Tx,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<String>, Fault> {
    let codes: Vec<RecoveryCode> = (0..RECOVERY_CODES).map(|_| RecoveryCode::generate()).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| code.hash(&core.keys)).collect();
    store::put_recovery_codes(tx, user, &hashes, now).await?;
    Ok(codes.iter().map(RecoveryCode::reveal).collect())
}

async fn tell(core: &Core, tx: &mut Tx, now: Timestamp, person: &User, change: &str) -> Result<(), Fault> {
    let params = vec![
        ("user_name", person.user_name.clone()),
        ("change", change.to_owned()),
    ];
    let template = template::SECOND_FACTOR_CHANGED;
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
