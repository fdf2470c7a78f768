use ferrex_ids::UserId;
use ferrex_postgres::{Error as DbError, SqlResult as _};
use sqlx::PgConnection;

/// Remembers a contact, unless a later version of it is known.
pub(crate) async fn put(
    tx: &mut PgConnection,
    user: UserId,
    username: &str,
    email: &str,
    version: u64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO contact (user_id, username, email, version) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO UPDATE
            SET username = excluded.username, email = excluded.email, version = excluded.version
          WHERE contact.version < excluded.version",
    )
    .bind(user.uuid())
    .bind(username)
    .bind(email)
    .bind(i64::try_from(version).unwrap_or(i64::MAX))
    .execute(tx)
    .await
    .map(drop)
    .doing("remembering a contact")
}
