use ferrex_fault::Fault;
use ferrex_ids::{AuditEntryId, StaffId};
use ferrex_postgres::{SqlResult as _, Tx};
use ferrex_time::Timestamp;
use uuid::Uuid;

use super::model::Follower;
use super::{Broken, Entry, NewEntry, Outcome, Verdict};
use crate::Admin;

const COLUMNS: &str = "sequence, id, at, actor, actor_name, action, subject, reason, request_id, outcome, attempt, before, \
                       after, previous_hash, hash";
/// Entries read at once by a verification.
const BATCH: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Row {
    sequence: i64,
    id: Uuid,
    at: Timestamp,
    actor: Option<Uuid>,
    actor_name: String,
    action: String,
    subject: String,
    reason: Option<String>,
    request_id: Option<String>,
    outcome: Outcome,
    attempt: Option<Uuid>,
    before: Option<String>,
    after: Option<String>,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let content = NewEntry {
            actor: row.actor.map(StaffId::from_uuid),
            actor_name: row.actor_name,
            action: row.action,
            subject: row.subject,
            reason: row.reason,
            request_id: row.request_id,
            outcome: row.outcome,
            attempt: row.attempt.map(AuditEntryId::from_uuid),
            before: row.before,
            after: row.after,
        };
        let (id, previous_hash) = (AuditEntryId::from_uuid(row.id), row.previous_hash);
        Self {
            sequence: row.sequence,
            id,
            at: row.at,
            content,
            previous_hash,
            hash: row.hash,
        }
    }
}

/// Appends an entry in a transaction of its own.
pub async fn append(admin: &Admin, entry: NewEntry) -> Result<AuditEntryId, Fault> {
    let mut tx = admin.db.begin().await?;
    let id = append_in_tx(admin, &mut tx, entry).await?;
    admin.commit(tx).await?;
    Ok(id)
}

/// Appends an entry in the caller's transaction. Lock order: the caller's rows first, then the chain's head, so call it
/// last; the head stays locked until the commit.
pub async fn append_in_tx(admin: &Admin, tx: &mut Tx, content: NewEntry) -> Result<AuditEntryId, Fault> {
    let (last, previous_hash): (i64, Vec<u8>) =
        sqlx::query_as("SELECT sequence, hash FROM audit_head FOR UPDATE")
            .fetch_one(&mut **tx)
            .await
            .doing("locking the end of the audit log")?;
    let (sequence, id, at) = (last + 1, admin.id(), admin.now());
    let mut entry = Entry {
        sequence,
        id,
        at,
        content,
        previous_hash,
        hash: Vec::new(),
    };
    entry.hash = entry.expected_hash(&admin.keys);
    let content = &entry.content;
    sqlx::query(
        "INSERT INTO audit_entry (sequence, id, at, actor, actor_name, action, subject, reason, request_id, outcome, attempt,
                                  before, after, previous_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(sequence)
    .bind(id.uuid())
    .bind(at)
    .bind(content.actor.map(StaffId::uuid))
    .bind(&content.actor_name)
    .bind(&content.action)
    .bind(&content.subject)
    .bind(&content.reason)
    .bind(&content.request_id)
    .bind(content.outcome)
    .bind(content.attempt.map(AuditEntryId::uuid))
    .bind(&content.before)
    .bind(&content.after)
    .bind(&entry.previous_hash)
    .bind(&entry.hash)
    .execute(&mut **tx)
    .await
    .doing("writing to the audit log")?;
    sqlx::query("UPDATE audit_head SET sequence = $1, hash = $2")
        .bind(sequence)
        .bind(&entry.hash)
        .execute(&mut **tx)
        .await
        .doing("moving the end of the audit log")?;
    Ok(id)
}

/// Entries before a place, the newest first.
pub async fn list(admin: &Admin, before: Option<i64>, limit: u16) -> Result<Vec<Entry>, Fault> {
    let sql =
        format!("SELECT {COLUMNS} FROM audit_entry WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(admin.db.pool())
        .await
        .doing("listing the audit log")?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// Number and hash of the last entry.
pub async fn head(admin: &Admin) -> Result<(i64, Vec<u8>), Fault> {
    let head = sqlx::query_as("SELECT sequence, hash FROM audit_head")
        .fetch_one(admin.db.pool())
        .await
        .doing("reading the end of the audit log")?;
    Ok(head)
}

/// Recomputes the whole chain.
///
/// A restored older copy of the whole database verifies too: compare it with a checkpoint noted elsewhere, on the topic
/// `admin.audit.v1` or in the process's log, which must stand in the chain with that hash.
pub async fn verify(admin: &Admin) -> Result<Verdict, Fault> {
    let mut tx = admin.db.begin().await?;
    // One snapshot: the head and the entries belong together while others append.
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut *tx)
        .await
        .doing("opening a snapshot")?;
    let (expected, head): (i64, Vec<u8>) = sqlx::query_as("SELECT sequence, hash FROM audit_head")
        .fetch_one(&mut *tx)
        .await
        .doing("reading the end of the audit log")?;
    let mut follower = Follower::new(&admin.keys);
    loop {
        let sql =
            format!("SELECT {COLUMNS} FROM audit_entry WHERE sequence > $1 ORDER BY sequence LIMIT {BATCH}");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(follower.sequence)
            .fetch_all(&mut *tx)
            .await
            .doing("reading the audit log")?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if let Err(broken) = follower.follow(&row.into()) {
                return Ok(Verdict {
                    entries: follower.sequence,
                    broken: Some(broken),
                });
            }
        }
    }
    let found = follower.sequence;
    let broken = (found != expected || follower.hash != head).then_some(Broken::End { found, expected });
    Ok(Verdict {
        entries: found,
        broken,
    })
}
