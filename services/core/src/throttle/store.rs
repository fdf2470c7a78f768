use ferrex_postgres::{Db, SqlResult as _, Tx};
use ferrex_time::Timestamp;
use sqlx::Row as _;

use super::{Error, Guard, GuardRule, Limit, Limits};
use crate::secrets::Keys;

/// A counted try, to give back after a success.
#[derive(Debug)]
pub struct Attempt {
    scope: &'static str,
    subject: Vec<u8>,
}

/// Counts a try of `subject`; the try over the limit is refused.
pub(crate) async fn take(
    db: &Db,
    keys: &Keys,
    now: Timestamp,
    scope: &'static str,
    subject: &str,
    limit: Limit,
    what: &'static str,
) -> Result<Result<Attempt, Error>, ferrex_postgres::Error> {
    let subject = keys.hash(scope, subject.as_bytes());
    let max = i32::try_from(limit.max).unwrap_or(i32::MAX - 1);
    // One statement, so that tries at the same instant queue on the row. The count stops one above the limit.
    let row = sqlx::query(
        "INSERT INTO attempts (scope, subject, taken, window_ends) VALUES ($1, $2, 1, $4)
         ON CONFLICT (scope, subject) DO UPDATE SET
             taken = CASE WHEN attempts.window_ends <= $3 THEN 1 ELSE LEAST(attempts.taken, $5) + 1 END,
             window_ends = CASE WHEN attempts.window_ends <= $3 THEN $4 ELSE attempts.window_ends END
         RETURNING taken, window_ends",
    )
    .bind(scope)
    .bind(&subject)
    .bind(now)
    .bind(now + limit.window())
    .bind(max)
    .fetch_one(db.pool())
    .await
    .doing("counting a try")?;
    let (taken, ends): (i32, Timestamp) = (row.try_get(0)?, row.try_get(1)?);
    if taken > max {
        return Ok(Err(Error::TooMany {
            what,
            seconds: (ends - now).num_seconds().max(1),
        }));
    }
    Ok(Ok(Attempt { scope, subject }))
}

/// Gives a try back.
pub(crate) async fn give_back(db: &Db, attempt: &Attempt) -> Result<(), ferrex_postgres::Error> {
    sqlx::query("UPDATE attempts SET taken = GREATEST(taken - 1, 0) WHERE scope = $1 AND subject = $2")
        .bind(attempt.scope)
        .bind(&attempt.subject)
        .execute(db.pool())
        .await
        .doing("giving a try back")?;
    Ok(())
}

/// A counted try of a password.
#[derive(Debug)]
pub struct LoginTry {
    network: Attempt,
    place: Vec<u8>,
    strangers: Option<Vec<u8>>,
    /// Whether this try brought the hard stop for strange places, of which the owner is told.
    pub stopped: bool,
}

fn place_key(keys: &Keys, email_key: &str, network: &str) -> Vec<u8> {
    keys.hash("login place", format!("{email_key}\n{network}").as_bytes())
}

fn strangers_key(keys: &Keys, email_key: &str) -> Vec<u8> {
    keys.hash("login strangers", email_key.as_bytes())
}

/// Counts a try of a password. `familiar`: this network has logged in to the account before, so that what strangers do
/// does not lock the owner out at home.
pub(crate) async fn begin_login(
    db: &Db,
    keys: &Keys,
    now: Timestamp,
    limits: &Limits,
    email_key: &str,
    network: &str,
    familiar: bool,
) -> Result<Result<LoginTry, Error>, ferrex_postgres::Error> {
    const WHAT: &str = "too many wrong log-ins";
    let network_try = match take(
        db,
        keys,
        now,
        "login network",
        network,
        limits.logins_per_network,
        WHAT,
    )
    .await?
    {
        Ok(attempt) => attempt,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut tx = db.begin().await?;
    let place = place_key(keys, email_key, network);
    let mut counted = vec![(place.clone(), GuardRule::for_place(limits))];
    let strangers = (!familiar).then(|| strangers_key(keys, email_key));
    counted.extend(
        strangers
            .iter()
            .map(|subject| (subject.clone(), GuardRule::for_strangers(limits))),
    );
    // Lock order by subject, so that two log-ins to one account cannot wait for each other.
    counted.sort_by(|left, right| left.0.cmp(&right.0));
    let mut stopped = false;
    for (subject, rule) in &counted {
        match Guard::begin(lock(&mut tx, subject, now).await?, now, rule) {
            Ok(guard) => {
                stopped |= strangers.as_ref() == Some(subject) && guard.just_stopped(rule);
                write(&mut tx, subject, guard).await?;
            }
            Err(until) => {
                drop(tx);
                give_back(db, &network_try).await?;
                return Ok(Err(Error::TooMany {
                    what: WHAT,
                    seconds: (until - now).num_seconds().max(1),
                }));
            }
        }
    }
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    Ok(Ok(LoginTry {
        network: network_try,
        place,
        strangers,
        stopped,
    }))
}

/// The password was right.
pub(crate) async fn login_succeeded(
    db: &Db,
    now: Timestamp,
    tried: &LoginTry,
) -> Result<(), ferrex_postgres::Error> {
    give_back(db, &tried.network).await?;
    sqlx::query("DELETE FROM login_guards WHERE subject = $1")
        .bind(&tried.place)
        .execute(db.pool())
        .await
        .doing("forgetting wrong log-ins")?;
    if let Some(strangers) = &tried.strangers {
        let mut tx = db.begin().await?;
        if let Some(guard) = lock(&mut tx, strangers, now).await? {
            write(&mut tx, strangers, guard.give_back(now)).await?;
        }
        tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    }
    Ok(())
}

/// Forgets the wrong log-ins to an account, after its owner proved to hold the mailbox.
pub(crate) async fn clear_login(
    tx: &mut Tx,
    keys: &Keys,
    email_key: &str,
    network: &str,
) -> Result<(), ferrex_postgres::Error> {
    sqlx::query("DELETE FROM login_guards WHERE subject = ANY($1)")
        .bind(vec![
            place_key(keys, email_key, network),
            strangers_key(keys, email_key),
        ])
        .execute(&mut **tx)
        .await
        .doing("forgetting wrong log-ins")?;
    Ok(())
}

async fn lock(tx: &mut Tx, subject: &[u8], now: Timestamp) -> Result<Option<Guard>, ferrex_postgres::Error> {
    // The row must exist before it can be locked, else two first tries would both see none.
    sqlx::query(
        "INSERT INTO login_guards (subject, failures, window_ends, blocked_until) VALUES ($1, 0, $2, $2)
         ON CONFLICT (subject) DO NOTHING",
    )
    .bind(subject)
    .bind(now)
    .execute(&mut **tx)
    .await
    .doing("preparing the log-in guard")?;
    let row = sqlx::query(
        "SELECT failures, window_ends, blocked_until FROM login_guards WHERE subject = $1 FOR UPDATE",
    )
    .bind(subject)
    .fetch_optional(&mut **tx)
    .await
    .doing("locking the log-in guard")?;
    row.map(|row| {
        let failures: i32 = row.try_get(0)?;
        Ok(Guard {
            failures: u32::try_from(failures).unwrap_or(0),
            window_ends: row.try_get(1)?,
            blocked_until: row.try_get(2)?,
        })
    })
    .transpose()
}

async fn write(tx: &mut Tx, subject: &[u8], guard: Guard) -> Result<(), ferrex_postgres::Error> {
    sqlx::query(
        "UPDATE login_guards SET failures = $2, window_ends = $3, blocked_until = $4 WHERE subject = $1",
    )
    .bind(subject)
    .bind(i32::try_from(guard.failures).unwrap_or(i32::MAX))
    .bind(guard.window_ends)
    .bind(guard.blocked_until)
    .execute(&mut **tx)
    .await
    .doing("writing the log-in guard")?;
    Ok(())
}
