use ferrex_bus::{Bus, Outgoing, parked};
use ferrex_contracts::core::{
    DecideVerification, GetVerification, ListVerifications, UserLevelChanged, VerificationState,
    VerificationSubmitted,
};
use ferrex_contracts::webhooks::{
    IDENTITY_DECIDED, IDENTITY_SOURCE, IdentityDecision, IdentityEvent, WebhookReceived,
};
use ferrex_contracts::{Decision, StaffAction};
use ferrex_ids::{InboundEventId, MessageId, StaffId, VerificationId};
use ferrex_testkit::eventually;
use ferrex_time::{Clock as _, Timestamp};
use serde_json::{Value, json};

use crate::world::{Login, SOON, World};

const PATH: &str = "/v1/me/verifications";

fn anna() -> Value {
    json!({ "legal_name": "Anna  Smith", "birth_date": "1990-05-17", "country": "de" })
}

fn by(reason: &str) -> StaffAction {
    StaffAction {
        staff: StaffId::from_uuid(uuid::Uuid::from_u128(7)),
        reason: reason.into(),
    }
}

async fn submit(world: &World, login: &Login) -> VerificationId {
    let answer = world.post_as(login, PATH, anna()).await.expect(201);
    assert_eq!(answer["state"], "submitted");
    answer["id"].as_str().expect("an id").parse().expect("an id")
}

/// The provider's webhook as `webhooks` publishes it.
fn decided(world: &World, verification: VerificationId, decision: Decision, version: u32) -> Outgoing {
    let now = world.clock.now();
    let data = IdentityDecision {
        applicant: format!("app_{verification}"),
        reference: verification.to_string(),
        version,
        decision,
        reason: "photo unclear".into(),
    };
    let body = IdentityEvent {
        event_type: IDENTITY_DECIDED.into(),
        timestamp: now,
        data,
    };
    let event = InboundEventId::new_at(world.clock.unix_ms());
    let message = WebhookReceived {
        event,
        source: IDENTITY_SOURCE.into(),
        event_id: event.to_string(),
        received_at: now,
        body: serde_json::to_string(&body).expect("plain data"),
    };
    Outgoing::event(
        "webhooks",
        MessageId::new_at(world.clock.unix_ms()),
        event,
        now,
        &message,
    )
}

async fn publish(bus: &Bus, messages: Vec<Outgoing>) {
    bus.publish(messages).await.expect("the bus takes messages");
}

async fn level_and_state(world: &World, login: &Login) -> (u64, String) {
    let me = world.get_as(login, "/v1/me").await.expect(200);
    let state = me["verification"]["state"].as_str().unwrap_or("none").to_owned();
    (me["level"].as_u64().expect("a level"), state)
}

#[tokio::test]
async fn staff_reject_with_a_reason_the_person_submits_again_and_is_approved() {
    let world = World::new().await;
    let person = world.person("anna").await;
    let login = world.login(&person).await;
    let first = submit(&world, &login).await;
    world
        .post_as(&login, PATH, anna())
        .await
        .refused(409, "core.verification.waiting");
    let submitted: Vec<VerificationSubmitted> = world.messages().await;
    assert_eq!(
        (submitted.len(), submitted[0].verification, submitted[0].level),
        (1, first, 1)
    );
    assert!(
        !format!("{submitted:?}").contains("Smith"),
        "personal data stays here"
    );

    world.run();
    let bus = world.bus("admin").await;
    let waiting = ListVerifications {
        state: Some(VerificationState::Submitted),
        cursor: None,
        limit: 10,
    };
    let page = world.ask(&bus, &waiting).await.unwrap();
    assert_eq!(
        (
            page.items.len(),
            &*page.items[0].legal_name,
            &*page.items[0].country
        ),
        (1, "Anna Smith", "DE")
    );
    let decide = |verification, decision, reason: &str| DecideVerification {
        verification,
        decision,
        by: by(reason),
    };
    let code = world
        .ask(&bus, &decide(first, Decision::Reject, " "))
        .await
        .unwrap_err();
    assert_eq!(code, "core.input.invalid");
    let rejected = world
        .ask(&bus, &decide(first, Decision::Reject, "name differs"))
        .await
        .unwrap();
    assert_eq!(
        (rejected.state, rejected.rejected_because.as_deref()),
        (VerificationState::Rejected, Some("name differs"))
    );
    // The same again is answered alike, another decision is a conflict.
    world
        .ask(&bus, &decide(first, Decision::Reject, "name differs"))
        .await
        .unwrap();
    assert_eq!(
        world
            .ask(&bus, &decide(first, Decision::Approve, "fine"))
            .await
            .unwrap_err(),
        "core.verification.decided"
    );
    let me = world.get_as(&login, "/v1/me").await.expect(200);
    assert_eq!(
        (&me["level"], &me["verification"]["reason"]),
        (&json!(0), &json!("name differs"))
    );

    let second = submit(&world, &login).await;
    world
        .ask(&bus, &decide(second, Decision::Approve, "documents seen"))
        .await
        .unwrap();
    assert_eq!(level_and_state(&world, &login).await, (1, "approved".into()));
    world
        .post_as(&login, PATH, anna())
        .await
        .refused(409, "core.verification.reached");
    let view = world
        .ask(&bus, &GetVerification { verification: second })
        .await
        .unwrap();
    assert_eq!(view.birth_date, "1990-05-17");
    let list = world.get_as(&login, PATH).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let missing = GetVerification {
        verification: VerificationId::new_at(1),
    };
    assert_eq!(
        world.ask(&bus, &missing).await.unwrap_err(),
        "core.verification.not_found"
    );
}

#[tokio::test]
async fn f104_a_hundred_decisions_reordered_and_repeated_have_one_effect() {
    let world = World::new().await;
    let login = world.login(&world.person("anna").await).await;
    let verification = submit(&world, &login).await;
    // The newest says yes; older ones say no. Each comes twice, and they come in no order.
    let mut messages = Vec::new();
    for version in 1..=50 {
        let decision = if version == 50 {
            Decision::Approve
        } else {
            Decision::Reject
        };
        let message = decided(&world, verification, decision, version);
        messages.extend([message.clone(), message]);
    }
    messages.rotate_left(37);
    let bus = world.bus("webhooks").await;
    let publishing = messages.into_iter().map(|message| publish(&bus, vec![message]));
    futures::future::join_all(publishing).await;

    world.run();
    eventually(SOON, || async {
        level_and_state(&world, &login).await == (1, "approved".into())
    })
    .await;
    eventually(SOON, || async {
        bus.lag("core", &["webhooks.received.v1"])
            .await
            .is_ok_and(|lags| lags.iter().all(|lag| lag.messages() == 0))
    })
    .await;
    assert_eq!(level_and_state(&world, &login).await, (1, "approved".into()));
    let row: (String, i64) = sqlx::query_as("SELECT state, applicant_version FROM verifications")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    assert_eq!(row, ("approved".into(), 50));
    assert_eq!(parked::count(&world.db).await.unwrap(), 0);
}

#[tokio::test]
async fn h089_a_decision_about_an_older_submission_changes_nothing() {
    let world = World::new().await;
    let login = world.login(&world.person("anna").await).await;
    let old = submit(&world, &login).await;
    world.run();
    let bus = world.bus("webhooks").await;
    publish(&bus, vec![decided(&world, old, Decision::Reject, 1)]).await;
    eventually(SOON, || async {
        level_and_state(&world, &login).await == (0, "rejected".into())
    })
    .await;
    world.pass(60);
    let new = submit(&world, &login).await;
    publish(&bus, vec![decided(&world, old, Decision::Approve, 2)]).await;
    world.pass(1);
    publish(&bus, vec![decided(&world, new, Decision::Reject, 1)]).await;
    eventually(SOON, || async {
        level_and_state(&world, &login).await == (0, "rejected".into())
    })
    .await;
    let list = world.get_as(&login, PATH).await.expect(200);
    assert!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["state"] == "rejected"),
        "{list}"
    );
    // Of the events only those of a change were published.
    eventually(SOON, || async {
        world.messages::<UserLevelChanged>().await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn h089_an_approval_stands_when_the_provider_takes_it_back_and_is_marked() {
    let world = World::new().await;
    let login = world.login(&world.person("anna").await).await;
    let verification = submit(&world, &login).await;
    world.run();
    let bus = world.bus("webhooks").await;
    publish(&bus, vec![decided(&world, verification, Decision::Approve, 1)]).await;
    eventually(SOON, || async {
        level_and_state(&world, &login).await == (1, "approved".into())
    })
    .await;
    world.pass(60);
    publish(&bus, vec![decided(&world, verification, Decision::Reject, 2)]).await;
    eventually(SOON, || async {
        let contested: Option<Timestamp> = sqlx::query_scalar("SELECT contested_at FROM verifications")
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        contested.is_some()
    })
    .await;
    assert_eq!(level_and_state(&world, &login).await, (1, "approved".into()));
}

#[tokio::test]
async fn f105_a_decision_before_our_own_row_is_matched_when_the_row_comes() {
    let world = World::new().await;
    let person = world.person("anna").await;
    let login = world.login(&person).await;
    let verification = VerificationId::new_at(world.clock.unix_ms());
    world.run();
    let bus = world.bus("webhooks").await;
    publish(&bus, vec![decided(&world, verification, Decision::Approve, 1)]).await;
    // It was tried and refused before the row was there.
    let arrived = || async {
        bus.lag("core", &["webhooks.received.v1"])
            .await
            .is_ok_and(|lags| lags.iter().map(ferrex_bus::Lag::messages).sum::<i64>() == 1)
    };
    eventually(SOON, arrived).await;
    let user: ferrex_ids::UserId = person.id.parse().unwrap();
    sqlx::query(
        "INSERT INTO verifications
            (id, user_id, level, level_version, state, legal_name, birth_date, country, submitted_at)
         VALUES ($1, $2, 1, 1, 'submitted', 'Anna Smith', '1990-05-17', 'DE', $3)",
    )
    .bind(verification.uuid())
    .bind(user.uuid())
    .bind(world.clock.now())
    .execute(world.db.pool())
    .await
    .unwrap();
    eventually(SOON, || async {
        level_and_state(&world, &login).await == (1, "approved".into())
    })
    .await;
}

#[tokio::test]
async fn f105_a_decision_that_nobody_knows_is_parked_with_the_reason() {
    let world = World::new().await;
    world.run();
    let bus = world.bus("webhooks").await;
    let unknown = VerificationId::new_at(1);
    publish(&bus, vec![decided(&world, unknown, Decision::Approve, 1)]).await;
    let parked = eventually(std::time::Duration::from_mins(1), || async {
        parked::list(&world.db, 0, 10).await.unwrap().into_iter().next()
    })
    .await;
    assert_eq!(parked.code, "core.verification.early");
    assert!(parked.reason.contains(&unknown.to_string()), "{}", parked.reason);
}
