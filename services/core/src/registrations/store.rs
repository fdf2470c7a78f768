use ferrex_postgres::{Error, SqlResult as _, Tx};
use uuid::Uuid;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub user_name: String,
    pub email: String,
    pub password_hash: String,
}

pub(super) async fn insert(tx: &mut Tx, challenge: Uuid, row: &Row) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO registrations (challenge_id, user_name, email, password_hash) VALUES ($1, $2, $3, $4)",
    )
    .bind(challenge)
    .bind(&row.user_name)
    .bind(&row.email)
    .bind(&row.password_hash)
    .execute(&mut **tx)
    .await
    .doing("adding a registration")?;
    Ok(())
}

pub(super) async fn get(tx: &mut Tx, challenge: Uuid) -> Result<Row, Error> {
    sqlx::query_as("SELECT user_name, email, password_hash FROM registrations WHERE challenge_id = $1")
        .bind(challenge)
        .fetch_one(&mut **tx)
        .await
        .doing("reading a registration")
}
