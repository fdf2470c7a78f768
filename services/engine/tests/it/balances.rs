//! Balances are kept by the block of accounts, and shown by the account.

use std::collections::BTreeMap;

use ferrex_engine::SCHEMA;
use ferrex_ids::HoldId;
use ferrex_postgres::{provision, schema_before};
use ferrex_testkit::{Postgres, TestDb};
use uuid::Uuid;

use crate::support::*;

/// Of each person in the tables what they have, and the part that is held.
async fn shown(db: &TestDb) -> BTreeMap<Uuid, (i64, i64)> {
    let rows: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "SELECT owner, total::bigint, held::bigint FROM engine.balance JOIN engine.account ON id = account
          WHERE owner IS NOT NULL",
    )
    .fetch_all(&look(db).await)
    .await
    .unwrap();
    let people = rows.len();
    let shown: BTreeMap<_, _> = rows
        .into_iter()
        .map(|(owner, total, held)| (owner, (total, held)))
        .collect();
    assert_eq!(shown.len(), people, "each once");
    shown
}

/// The first account of each block, and how many are in it.
async fn blocks(db: &TestDb) -> Vec<(i32, i32)> {
    sqlx::query_as("SELECT first_account, cardinality(held) FROM engine.balance_block ORDER BY 1")
        .fetch_all(&look(db).await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_its_place_in_a_block() {
    let db = database().await;
    let engine = start(&db).await;
    let pool = look(&db).await;
    let people: Vec<Uuid> = (0..300).map(|_| new_id()).collect();
    let mut expected = BTreeMap::new();
    for (person, amount) in people.iter().zip(1..) {
        expected.insert(*person, (i64::from(amount), 0));
    }
    // Account 1 is the house's. The last block is written while it grows, and again when it is full.
    let mut opened = 0;
    for (upto, in_blocks) in [
        (100, vec![(1, 101)]),
        (300, vec![(1, 128), (129, 128), (257, 45)]),
    ] {
        for (person, amount) in people.iter().zip(1..).take(upto).skip(opened) {
            submit(&engine.client, &deposit(*person, amount)).await;
        }
        opened = upto;
        projection_is_current(&pool).await;
        assert_eq!(blocks(&db).await, in_blocks);
    }
    assert_eq!(shown(&db).await, expected);

    // One of each block changes, and no other.
    for place in [3, 200, 299] {
        let name = HoldId::from_uuid(new_id());
        submit(&engine.client, &reserve(name, people[place], 2)).await;
        expected.entry(people[place]).and_modify(|(_, held)| *held = 2);
    }
    projection_is_current(&pool).await;
    assert_eq!(shown(&db).await, expected);
    finish(engine, &db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_of_before_they_were_kept_by_the_block_stay_what_they_are() {
    let db = Postgres::shared().await.fresh_database().await;
    provision(&db.admin_url, &schema_before(12, &SCHEMA), &"engine-test".into())
        .await
        .unwrap();
    // Accounts without a balance are those that were opened and not projected yet.
    sqlx::raw_sql(
        "INSERT INTO engine.account (shard, id, owner, purpose, asset)
         SELECT 0, n, CASE WHEN n > 1 THEN gen_random_uuid() END, CASE WHEN n > 1 THEN 0 ELSE 1 END, 1
           FROM generate_series(1, 260) AS n;
         INSERT INTO engine.balance (account, total, held)
         SELECT id, 340282366920938463463374607431768211455 - id, id % 7 FROM engine.account WHERE id % 10 > 0",
    )
    .execute(&look(&db).await)
    .await
    .unwrap();
    prepare(&db).await;
    assert_eq!(blocks(&db).await, [(1, 128), (129, 128), (257, 4)]);
    let wrong: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM engine.account FULL JOIN engine.balance ON account = id
          WHERE (total, held) IS DISTINCT FROM
                (CASE WHEN id % 10 > 0 THEN 340282366920938463463374607431768211455 - id ELSE 0 END,
                 CASE WHEN id % 10 > 0 THEN id % 7 ELSE 0 END)",
    )
    .fetch_one(&look(&db).await)
    .await
    .unwrap();
    assert_eq!(wrong, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i05_no_block_takes_less_than_nothing() {
    let db = database().await;
    let pool = look(&db).await;
    for (available, held, constraint) in [
        ("{1,-1}", "{0,0}", "nothing_is_negative"),
        ("{1,0}", "{0,-1}", "nothing_is_negative"),
        ("{1,0}", "{0}", "each_account_has_both"),
    ] {
        let error = sqlx::query(
            "INSERT INTO engine.balance_block VALUES (1, $1::text::numeric[], $2::text::numeric[])",
        )
        .bind(available)
        .bind(held)
        .execute(&pool)
        .await
        .unwrap_err();
        assert_eq!(error.as_database_error().unwrap().constraint(), Some(constraint));
    }
}
