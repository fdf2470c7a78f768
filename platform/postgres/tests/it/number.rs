use ferrex_postgres::PgU128;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::shop;

fn edges() -> impl Strategy<Value = u128> {
    prop_oneof![
        Just(0),
        Just(u128::MAX),
        any::<u128>(),
        0u128..1_000_000,
        (0u32..39).prop_map(|places| 10u128.pow(places)),
        (1u128..10_000, 0u32..8).prop_map(|(digits, groups)| digits * 10_000u128.pow(groups)),
    ]
}

#[test]
fn amounts_survive_the_database_alone_and_in_arrays() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_test, db) = runtime.block_on(shop());
    let mut cases = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    cases
        .run(&proptest::collection::vec(edges(), 0..12), |numbers| {
            runtime.block_on(async {
                let sent: Vec<PgU128> = numbers.iter().copied().map(PgU128).collect();
                let (back, texts): (Vec<PgU128>, Vec<String>) =
                    sqlx::query_as("SELECT $1::numeric(39,0)[], $1::numeric(39,0)[]::text[]")
                        .bind(&sent)
                        .fetch_one(db.pool())
                        .await
                        .unwrap();
                prop_assert_eq!(&back, &sent);
                let expected: Vec<String> = numbers.iter().map(u128::to_string).collect();
                prop_assert_eq!(texts, expected);
                if let Some(first) = sent.first() {
                    let (one, none): (PgU128, Option<PgU128>) = sqlx::query_as("SELECT $1, $2")
                        .bind(*first)
                        .bind(None::<PgU128>)
                        .fetch_one(db.pool())
                        .await
                        .unwrap();
                    prop_assert_eq!((one, none), (*first, None));
                }
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test]
async fn numbers_that_are_no_amount_are_refused_and_not_rounded() {
    let (_test, db) = shop().await;
    for sql in [
        "SELECT (-1)::numeric",
        "SELECT 0.5::numeric",
        "SELECT 1.0001::numeric",
        "SELECT 'NaN'::numeric",
        "SELECT 'Infinity'::numeric",
        "SELECT 340282366920938463463374607431768211456::numeric",
        "SELECT 1e60::numeric",
    ] {
        let read: Result<PgU128, _> = sqlx::query_scalar(sql).fetch_one(db.pool()).await;
        assert!(read.is_err(), "{sql} was read as {read:?}");
    }
    let whole: PgU128 = sqlx::query_scalar("SELECT 12.000::numeric")
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert_eq!(whole, PgU128(12));
}
