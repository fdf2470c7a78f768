use ferrex_ids::StaffId;
use ferrex_postgres::{Db, Error, SqlResult as _, Tx, is_unique_violation};
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::{Staff, StaffName};

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    name: String,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
}

impl Row {
    fn into_staff(self) -> Staff {
        // The constraint staff_name_form holds for every row.
        let name = StaffName::parse(&self.name).expect("a stored name has the form of names");
        Staff {
            id: StaffId::from_uuid(self.id),
            name,
            created_at: self.created_at,
            disabled_at: self.disabled_at,
        }
    }
}

/// What a log-in is checked against.
pub(crate) struct Credentials {
    pub(crate) id: StaffId,
    pub(crate) password: String,
    pub(crate) totp_sealed: Vec<u8>,
    pub(crate) disabled: bool,
}

/// The account of a name.
pub(crate) async fn find_by_name(db: &Db, name: &str) -> Result<Option<Credentials>, Error> {
    let row: Option<(Uuid, String, Vec<u8>, bool)> = sqlx::query_as(
        "SELECT id, password, totp_sealed, disabled_at IS NOT NULL FROM staff WHERE name = $1",
    )
    .bind(name)
    .fetch_optional(db.pool())
    .await
    .doing("looking up an account of staff")?;
    Ok(row.map(|(id, password, totp_sealed, disabled)| Credentials {
        id: StaffId::from_uuid(id),
        password,
        totp_sealed,
        disabled,
    }))
}

/// Everybody, in the order of their coming.
pub(crate) async fn list(db: &Db) -> Result<Vec<Staff>, Error> {
    let rows: Vec<Row> = sqlx::query_as("SELECT id, name, created_at, disabled_at FROM staff ORDER BY id")
        .fetch_all(db.pool())
        .await
        .doing("listing staff")?;
    Ok(rows.into_iter().map(Row::into_staff).collect())
}

/// Whether there is any account at all.
pub(super) async fn any(db: &Db) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM staff)")
        .fetch_one(db.pool())
        .await
        .doing("looking for staff")
}

/// Uses up a time step of an authenticator; `false` when it or a later one was used before (a code is good once).
pub(crate) async fn use_step(tx: &mut Tx, staff: StaffId, step: i64) -> Result<bool, Error> {
    let used = sqlx::query(
        "UPDATE staff SET totp_step = $2 WHERE id = $1 AND totp_step < $2 AND disabled_at IS NULL",
    )
    .bind(staff.uuid())
    .bind(step)
    .execute(&mut **tx)
    .await
    .doing("using up a code")?;
    Ok(used.rows_affected() == 1)
}

/// Adds an account; `false` when the name is taken.
pub(super) async fn insert(
    tx: &mut Tx,
    staff: &Staff,
    password: &str,
    totp_sealed: &[u8],
    totp_step: i64,
) -> Result<bool, Error> {
    let inserted = sqlx::query(
        "INSERT INTO staff (id, name, password, totp_sealed, totp_step, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(staff.id.uuid())
    .bind(staff.name.as_str())
    .bind(password)
    .bind(totp_sealed)
    .bind(totp_step)
    .bind(staff.created_at)
    .execute(&mut **tx)
    .await;
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if is_unique_violation(&error, "staff_name_unique") => Ok(false),
        Err(error) => Err(error).doing("adding an account of staff"),
    }
}

/// Disables an account and revokes its sessions; its name, or `None` when it is not there or disabled already.
pub(super) async fn disable(tx: &mut Tx, staff: StaffId, now: Timestamp) -> Result<Option<String>, Error> {
    let name: Option<String> = sqlx::query_scalar(
        "UPDATE staff SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL RETURNING name",
    )
    .bind(staff.uuid())
    .bind(now)
    .fetch_optional(&mut **tx)
    .await
    .doing("disabling an account of staff")?;
    if name.is_some() {
        sqlx::query("UPDATE staff_session SET revoked_at = $2 WHERE staff = $1 AND revoked_at IS NULL")
            .bind(staff.uuid())
            .bind(now)
            .execute(&mut **tx)
            .await
            .doing("revoking the sessions of an account")?;
    }
    Ok(name)
}

/// A link that is still good, locked.
#[derive(sqlx::FromRow)]
pub(super) struct Link {
    pub(super) invited_by: Option<Uuid>,
    pub(super) totp_sealed: Option<Vec<u8>>,
}

pub(super) async fn insert_link(
    tx: &mut Tx,
    token_hash: &[u8],
    invited_by: Option<StaffId>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO setup_link (token_hash, invited_by, created_at, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(token_hash)
    .bind(invited_by.map(StaffId::uuid))
    .bind(now)
    .bind(expires_at)
    .execute(&mut **tx)
    .await
    .map(drop)
    .doing("keeping a set-up link")
}

/// Locks a link that is unused, young enough, and, for the first account, not overtaken: as soon as there is any account
/// the links for the first one are void.
pub(super) async fn lock_link(tx: &mut Tx, token_hash: &[u8], now: Timestamp) -> Result<Option<Link>, Error> {
    sqlx::query_as(
        "SELECT invited_by, totp_sealed FROM setup_link
          WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
            AND (invited_by IS NOT NULL OR NOT EXISTS (SELECT FROM staff))
          FOR UPDATE",
    )
    .bind(token_hash)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await
    .doing("looking up a set-up link")
}

/// Keeps two first accounts from being made by two links at once.
pub(super) async fn lock_first_account(tx: &mut Tx) -> Result<(), Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('ferrex admin: first account', 0))")
        .execute(&mut **tx)
        .await
        .map(drop)
        .doing("waiting for another set-up")
}

pub(super) async fn set_link_secret(tx: &mut Tx, token_hash: &[u8], sealed: &[u8]) -> Result<(), Error> {
    sqlx::query("UPDATE setup_link SET totp_sealed = $2 WHERE token_hash = $1")
        .bind(token_hash)
        .bind(sealed)
        .execute(&mut **tx)
        .await
        .map(drop)
        .doing("keeping an authenticator being enrolled")
}

pub(super) async fn use_link(
    tx: &mut Tx,
    token_hash: &[u8],
    staff: StaffId,
    now: Timestamp,
) -> Result<(), Error> {
    // The secret moves to the account; nothing of it stays here.
    sqlx::query("UPDATE setup_link SET used_at = $2, used_by = $3, totp_sealed = NULL WHERE token_hash = $1")
        .bind(token_hash)
        .bind(now)
        .bind(staff.uuid())
        .execute(&mut **tx)
        .await
        .map(drop)
        .doing("using up a set-up link")
}
