//! What an audit of the ledger changes: withdrawals of an asset whose books differ rest until an audit is clean of it.

use axum::http::StatusCode;
use ferrex_bus::Outgoing;
use ferrex_contracts::Decision;
use ferrex_contracts::cron::CronTick;
use ferrex_contracts::payment::{ConcernKind, DecideWithdrawal, ListConcerns};
use ferrex_ids::MessageId;
use ferrex_testkit::eventually;
use serde_json::json;

use crate::parts::{Person, bus};
use crate::withdrawals::{PAYEE, paid, rich, settle};
use crate::world::{SOON, World, by, wei};

/// Has the engine audit the ledger.
async fn audit(world: &World) {
    let cron = bus(&world.db, "cron").await;
    let (id, now) = (MessageId::new_at(world.clock.unix_ms()), world.clock.now());
    let tick = CronTick {
        job: "ledger_audit".into(),
        scheduled_for: now,
    };
    cron.publish(vec![Outgoing::event("cron", id, &tick.job, now, &tick)])
        .await
        .unwrap();
}

/// Writes another balance of a person than the journal says.
async fn falsify(world: &World, person: Person, change: i32) {
    let mut connection = world.superuser().await;
    let done = sqlx::query(
        "UPDATE engine.balance_block SET available[id - first_account + 1] = available[id - first_account + 1] + $2
           FROM engine.account WHERE owner = $1 AND id BETWEEN first_account AND first_account + cardinality(available) - 1",
    )
    .bind(person.id.uuid())
    .bind(change)
    .execute(&mut connection)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

async fn differing(world: &World) -> Vec<String> {
    let concerns = world.ask(&ListConcerns {}).await.unwrap().concerns;
    concerns
        .into_iter()
        .filter(|concern| concern.kind == ConcernKind::BooksDiffer)
        .map(|concern| concern.subject)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i02_books_that_differ_halt_the_assets_withdrawals_until_an_audit_is_clean() {
    let (world, anna) = rich().await;
    let ben = world.person("ben").await;
    world.give(ben, 1).await;
    // Held, and not yet with the signer: staff have not decided.
    let waiting = world.withdraw(anna, PAYEE, "6").await;
    let told = world.until_told("payment.withdrawal.awaits_approval", 1).await;
    let caught_up = "SELECT (SELECT last_id FROM engine.head) - (SELECT journal_id FROM engine.projection)";
    eventually(SOON, async || world.count(caught_up).await == 0).await;

    falsify(&world, ben, 1).await;
    audit(&world).await;
    eventually(SOON, async || differing(&world).await == ["ETH"]).await;
    let (status, answer) = world.try_withdraw(anna, PAYEE, "1", &world.key()).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::CONFLICT, Some("payment.withdrawal.books_differ"))
    );
    let preview = json!({ "asset": "ETH", "network": "anvil", "address": PAYEE, "amount": "1" });
    let (status, answer) = world
        .call(anna, "POST", "/v1/withdrawals/preview", Some(preview))
        .await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::CONFLICT, Some("payment.withdrawal.books_differ"))
    );
    let decide = DecideWithdrawal {
        withdrawal: waiting.parse().unwrap(),
        decision: Decision::Approve,
        content_hash: told[0]["content_hash"].as_str().unwrap().to_owned(),
        by: by(),
    };
    world.ask(&decide).await.unwrap();
    eventually(SOON, async || {
        let body = world.get(anna, &format!("/v1/withdrawals/{waiting}")).await;
        let reason = body["waiting_for"].as_str().unwrap_or_default().to_owned();
        if reason.contains("books are being checked") {
            Ok(())
        } else {
            Err(body)
        }
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM signer.signature").await, 0);
    // Money that stays in the house moves on.
    let transfer = json!({ "to": "anna", "asset": "ETH", "amount": "0.5" });
    let (status, answer) = world
        .call_with(ben, "POST", "/v1/transfers", Some(transfer), Some("a"))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");

    eventually(SOON, async || world.count(caught_up).await == 0).await;
    let total =
        "SELECT (total - 500000000000000000)::bigint FROM engine.balance JOIN engine.account ON id = account";
    let off = world
        .count(&format!("{total} WHERE owner = '{}'", ben.id.uuid()))
        .await;
    falsify(&world, ben, i32::try_from(-off).unwrap()).await;
    audit(&world).await;
    eventually(SOON, async || differing(&world).await.is_empty()).await;
    settle(&world, anna, &waiting).await;
    let next = world.withdraw(anna, PAYEE, "1").await;
    settle(&world, anna, &next).await;
    assert_eq!(paid(&world).await, wei(7).to_string());
    world.finish().await;
}
