use ferrex_testkit::Postgres;
use secrecy::SecretString;

#[tokio::test]
async fn the_migrations_make_what_schema_sql_says() {
    let db = Postgres::shared().await.fresh_database().await;
    let password = SecretString::from("test");
    for _ in 0..2 {
        ferrex_postgres::provision(&db.admin_url, &ferrex_payment::SCHEMA, &password)
            .await
            .unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
    ferrex_postgres::assert_schema_matches(&db.admin_url, "payment", path).await;
}

#[tokio::test]
async fn i10_f024_no_role_may_change_what_an_asset_is_or_what_happened() {
    use sqlx::{Connection as _, PgConnection};
    let db = Postgres::shared().await.fresh_database().await;
    let password = SecretString::from("test");
    ferrex_postgres::provision(&db.admin_url, &ferrex_payment::SCHEMA, &password)
        .await
        .unwrap();
    let url = db.url.replace("postgres://", "postgres://ferrex_payment:test@");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in [
        "UPDATE payment.asset SET decimals = 6",
        "UPDATE payment.asset SET contract = NULL",
        "DELETE FROM payment.asset",
        "UPDATE payment.network SET chain_id = 1",
        "UPDATE payment.deposit SET user_id = NULL",
        "DELETE FROM payment.deposit",
        "UPDATE payment.withdrawal SET amount = 1",
        "UPDATE payment.transfer SET to_user = from_user",
        "UPDATE payment.movement SET credited = 1",
        "DELETE FROM payment.movement",
        "UPDATE payment.idempotency SET resource = user_id",
        "UPDATE payment.deposit_address SET user_id = user_id",
        "UPDATE payment.wallet SET xpub = ''",
        "UPDATE payment.outgoing_transaction SET raw = ''",
    ] {
        let refused = sqlx::query(statement).execute(&mut connection).await.unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
    }
}
