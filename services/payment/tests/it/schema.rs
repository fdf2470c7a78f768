use ferrex_testkit::Postgres;
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};

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

#[tokio::test]
async fn lines_of_a_history_that_come_again_are_kept_once_beside_new_ones() {
    let db = Postgres::shared().await.fresh_database().await;
    ferrex_postgres::provision(
        &db.admin_url,
        &ferrex_payment::SCHEMA,
        &SecretString::from("test"),
    )
    .await
    .unwrap();
    let url = db.url.replace("postgres://", "postgres://ferrex_payment:test@");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for (lines, expected) in [
        (vec![1, 2], vec![1, 2]),
        (vec![2, 3, 3], vec![1, 2, 3]),
        (vec![1], vec![1, 2, 3]),
    ] {
        sqlx::query(
            "SELECT payment.keep_movements(array_agg(
                 (u.id, n, 1, u.id, 1, u.id, now(), n, 0, 0, 0, 0, 0, 0)::payment.movement_entry))
               FROM unnest($1::bigint[]) AS n, (SELECT '018f0000-0000-7000-8000-000000000001'::uuid AS id) AS u",
        )
        .bind(lines)
        .execute(&mut connection)
        .await
        .unwrap();
        let kept: Vec<i64> = sqlx::query_scalar("SELECT sequence FROM payment.movement ORDER BY 1")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(kept, expected);
    }
}

#[tokio::test]
async fn orders_of_before_they_were_written_once_stay_what_they_are() {
    let db = Postgres::shared().await.fresh_database().await;
    let password = SecretString::from("test");
    let provision = async |spec| {
        ferrex_postgres::provision(&db.admin_url, &spec, &password)
            .await
            .unwrap();
    };
    provision(ferrex_postgres::schema_before(10, &ferrex_payment::SCHEMA)).await;
    let mut connection = PgConnection::connect(&db.admin_url).await.unwrap();
    // One that is asked for, one that is open, one that has ended.
    sqlx::raw_sql(
        r#"INSERT INTO payment.placed_order (id, user_id, market, number, client_order_id, command, side, kind, tif, price, quantity,
                                             placed_at, status)
           SELECT gen_random_uuid(), gen_random_uuid(), 1, number, name,
                  '{"terms": {"display": "7", "self_trade": "decrement"}}', 'buy', 'limit', 'gtc', 2, 9, now(), status
             FROM (VALUES (NULL, 'a', 'requested'), (1, 'b', 'open'), (2, 'c', 'filled')) AS o (number, name, status)"#,
    )
    .execute(&mut connection)
    .await
    .unwrap();
    provision(ferrex_payment::SCHEMA).await;
    let mut rows = async |sql: &'static str| -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    };
    let asked = "SELECT concat_ws(' ', client_order_id, price, quantity, display, self_trade) FROM payment.asked_order";
    assert_eq!(rows(asked).await, ["a 2 9 7 decrement"]);
    let placed = "SELECT concat_ws(' ', client_order_id, number, display, self_trade, status) FROM payment.placed_order ORDER BY 1";
    assert_eq!(
        rows(placed).await,
        ["b 1 7 decrement open", "c 2 7 decrement filled"]
    );
    assert_eq!(
        rows("SELECT name::text FROM payment.taken_order_name ORDER BY 1").await,
        ["a", "b"]
    );
}
