use std::time::{Duration, Instant};

use ferrex_ids::{UserId, VerificationId};
use serde_json::json;

use crate::others::{self, Asked};
use crate::world::World;

fn pair(action: &str, outcome: &str) -> (String, String) {
    (action.to_owned(), outcome.to_owned())
}

#[tokio::test]
async fn freezing_a_person_is_asked_of_core_and_audited_with_reason_before_and_after() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("core", others::core(&asked)).await;
    let user = UserId::new_at(5);
    let path = format!("/v1/users/{user}/freeze");
    world
        .put(&path, &token, json!({ "frozen": true, "reason": "  " }))
        .await
        .refused(422, "admin.reason.malformed");
    let view = world
        .put(
            &path,
            &token,
            json!({ "frozen": true, "reason": "asked by the police" }),
        )
        .await
        .expect(200);
    assert_eq!(view["frozen"], true);
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].1["by"]["reason"], "asked by the police");
    let entries = world.get("/v1/audit-entries?limit=2", &token).await.expect(200);
    let (done, attempted) = (&entries["items"][0], &entries["items"][1]);
    assert_eq!(
        (&attempted["action"], &attempted["outcome"]),
        (&json!("user.freeze"), &json!("attempted"))
    );
    assert_eq!(
        attempted["before"],
        json!({ "frozen": false, "level": 1 }).to_string()
    );
    assert_eq!(
        (&done["outcome"], &done["attempt"]),
        (&json!("done"), &attempted["id"])
    );
    assert_eq!(done["after"], json!({ "frozen": true, "level": 1 }).to_string());
    for entry in [done, attempted] {
        assert_eq!(
            (&entry["actor_name"], &entry["subject"]),
            (&json!("olga"), &json!(user.to_string()))
        );
        assert_eq!(entry["reason"], "asked by the police");
        assert!(entry["request_id"].is_string());
        assert!(!entry.to_string().contains("anna"), "nothing personal is kept");
    }
}

#[tokio::test]
async fn a_refusal_of_core_is_passed_on_and_audited_as_refused() {
    let world = World::start().await;
    let (asked, token) = (Asked::default(), world.operator().await);
    world.stand_in("core", others::core(&asked)).await;
    let path = format!("/v1/verifications/{}/decision", VerificationId::new_at(5));
    let approved = world
        .post(
            &path,
            Some(&token),
            json!({ "decision": "approve", "reason": "document seen" }),
        )
        .await
        .expect(200);
    assert_eq!(approved["state"], "approved");
    let refused = world
        .post(
            &path,
            Some(&token),
            json!({ "decision": "reject", "reason": "document blurred" }),
        )
        .await;
    refused.refused(409, "core.verification.decided");
    let audited = world.audited(&token).await;
    let wanted = [
        pair("verification.approve", "attempted"),
        pair("verification.approve", "done"),
        pair("verification.reject", "attempted"),
        pair("verification.reject", "refused"),
    ];
    assert!(audited.ends_with(&wanted), "{audited:?}");
}

#[tokio::test]
async fn silence_of_the_other_service_is_unknown_and_not_a_failure() {
    let world = World::start().await;
    let token = world.operator().await;
    let router = ferrex_bus::Router::new("core")
        .on_request::<ferrex_contracts::core::GetUser, _, _>(async |_, ask| Ok(others::user(ask.user, false)))
        .on_request::<ferrex_contracts::core::SetUserFreeze, _, _>(async |_, _| std::future::pending().await);
    world.stand_in("core", router).await;
    let (path, asked) = (format!("/v1/users/{}/freeze", UserId::new_at(5)), Instant::now());
    let answer = world
        .put(
            &path,
            &token,
            json!({ "frozen": true, "reason": "asked by the police" }),
        )
        .await;
    answer.refused(503, "bus.request.timed_out");
    assert!(asked.elapsed() < Duration::from_secs(10));
    let audited = world.audited(&token).await;
    assert!(
        audited.ends_with(&[pair("user.freeze", "attempted"), pair("user.freeze", "unknown")]),
        "{audited:?}"
    );
}
