use std::time::Duration;

use ferrex_bus::Outgoing;
use ferrex_contracts::Message;
use ferrex_contracts::payment::WithdrawalApprovalClosed;
use ferrex_ids::{MessageId, WithdrawalId};
use ferrex_testkit::eventually;
use ferrex_time::from_micros;
use serde_json::{Value, json};

use crate::others::{self, Asked, waiting};
use crate::world::World;

async fn publish<M: Message>(world: &World, withdrawal: WithdrawalId, event: &M) {
    let id = MessageId::new_at(1_750_000_000_000);
    let message = Outgoing::event(
        "payment",
        id,
        withdrawal,
        from_micros(1_750_000_000_000_000),
        event,
    );
    world.bus("payment").await.publish(vec![message]).await.unwrap();
}

async fn in_state(world: &World, token: &str, withdrawal: WithdrawalId, state: &str) -> Value {
    let path = format!("/v1/withdrawal-approvals/{withdrawal}");
    eventually(Duration::from_secs(15), async || {
        let answer = world.get(&path, token).await;
        if answer.body["state"] == state {
            Ok(answer.body)
        } else {
            Err(answer.body)
        }
    })
    .await
}

#[tokio::test]
async fn a_withdrawal_that_waits_is_listed_and_approved_as_it_was_looked_at() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("payment", others::payment(&asked)).await;
    let withdrawal = WithdrawalId::new_at(5);
    publish(&world, withdrawal, &waiting(withdrawal, "hash of it")).await;
    let shown = in_state(&world, &token, withdrawal, "waiting").await;
    assert_eq!(
        (&shown["value"]["amount"], &shown["fee"]),
        (&json!("2.5"), &json!("0.005"))
    );
    let list = world
        .get("/v1/withdrawal-approvals/by-state/waiting", &token)
        .await
        .expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    let path = format!("/v1/withdrawal-approvals/{withdrawal}/decision");
    let body =
        |hash: &str| json!({ "decision": "approve", "content_hash": hash, "reason": "known customer" });
    world
        .post(&path, Some(&token), body("another"))
        .await
        .refused(409, "admin.approval.changed");
    assert!(asked.lock().unwrap().is_empty(), "payment is not asked");
    let decided = world
        .post(&path, Some(&token), body("hash of it"))
        .await
        .expect(200);
    assert_eq!(decided["state"], "approved");
    let request = asked.lock().unwrap()[0].1.clone();
    assert_eq!(
        (&request["decision"], &request["content_hash"]),
        (&json!("approve"), &json!("hash of it"))
    );
    world
        .post(&path, Some(&token), body("hash of it"))
        .await
        .refused(409, "admin.approval.closed");
    let audited = world.audited(&token).await;
    assert!(audited.ends_with(&[
        ("withdrawal.approve".into(), "attempted".into()),
        ("withdrawal.approve".into(), "done".into())
    ]));
}

#[tokio::test]
async fn h035_what_changed_while_it_waited_must_be_looked_at_again() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("payment", others::payment(&asked)).await;
    let withdrawal = WithdrawalId::new_at(5);
    publish(&world, withdrawal, &waiting(withdrawal, "first")).await;
    in_state(&world, &token, withdrawal, "waiting").await;
    publish(&world, withdrawal, &waiting(withdrawal, "second")).await;
    let path = format!("/v1/withdrawal-approvals/{withdrawal}");
    eventually(Duration::from_secs(15), async || {
        world.get(&path, &token).await.body["content_hash"] == "second"
    })
    .await;
    let body = json!({ "decision": "approve", "content_hash": "first", "reason": "known customer" });
    world
        .post(&format!("{path}/decision"), Some(&token), body)
        .await
        .refused(409, "admin.approval.changed");
}

#[tokio::test]
async fn what_payment_closed_cannot_be_decided() {
    let world = World::start().await;
    let token = world.operator().await;
    let withdrawal = WithdrawalId::new_at(5);
    publish(&world, withdrawal, &waiting(withdrawal, "hash")).await;
    publish(
        &world,
        withdrawal,
        &WithdrawalApprovalClosed {
            withdrawal,
            result: "cancelled".into(),
        },
    )
    .await;
    in_state(&world, &token, withdrawal, "cancelled").await;
    let path = format!("/v1/withdrawal-approvals/{withdrawal}/decision");
    let body = json!({ "decision": "reject", "content_hash": "hash", "reason": "unknown customer" });
    world
        .post(&path, Some(&token), body.clone())
        .await
        .refused(409, "admin.approval.closed");
    let unknown = format!("/v1/withdrawal-approvals/{}/decision", WithdrawalId::new_at(9));
    world
        .post(&unknown, Some(&token), body)
        .await
        .refused(404, "admin.approval.not_found");
}
