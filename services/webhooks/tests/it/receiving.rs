use axum::body::Body;
use axum::http::Request;
use ferrex_time::{Clock as _, Duration};

use crate::{App, BODY, NEW, OLD, database, request, signed_at};

#[tokio::test]
async fn a_signed_event_is_stored_as_it_came() {
    let app = App::new(&database().await, &[OLD]).await;
    assert_eq!(app.send(app.signed(OLD, "evt_1", BODY)).await.0, 204);
    let (body, key): (Vec<u8>, String) = sqlx::query_as("SELECT body, order_key FROM inbound_event")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert_eq!(
        (body.as_slice(), key.as_str()),
        (BODY.as_bytes(), "identity/ver_1")
    );
}

#[tokio::test]
async fn h068_the_signature_is_over_the_raw_bytes_through_the_listener() {
    let app = App::new(&database().await, &[OLD]).await;
    let now = app.signed(OLD, "evt_1", BODY);
    let header = |name: &str| now.headers()[name].to_str().unwrap().to_owned();
    let compact = BODY.replace(' ', "");
    let resent = request(
        "evt_1",
        &header("webhook-timestamp"),
        &header("webhook-signature"),
        &compact,
    );
    assert_eq!(
        app.send(resent).await,
        (401, "webhooks.signature.wrong".to_owned())
    );
    assert_eq!((app.events().await, app.quarantined().await), (0, 1));
}

#[tokio::test]
async fn h061_a_replayed_timestamp_is_refused() {
    let app = App::new(&database().await, &[OLD]).await;
    let captured = app.clock.now().timestamp();
    app.clock.advance(Duration::seconds(301));
    let replayed = signed_at(OLD, "evt_1", BODY, captured);
    assert_eq!(
        app.send(replayed).await,
        (401, "webhooks.signature.timestamp".to_owned())
    );
    assert_eq!(app.events().await, 0);
}

#[tokio::test]
async fn h069_both_secrets_are_accepted_during_a_rotation_and_a_late_one_is_released() {
    let db = database().await;
    let before = App::new(&db, &[OLD]).await;
    assert_eq!(before.send(before.signed(NEW, "evt_1", BODY)).await.0, 401);
    drop(before);

    let during = App::new(&db, &[NEW, OLD]).await;
    assert_eq!(during.send(during.signed(OLD, "evt_2", BODY)).await.0, 204);
    assert_eq!(during.send(during.signed(NEW, "evt_3", BODY)).await.0, 204);
    let refused = during.service.list_quarantined(10).await.unwrap();
    assert_eq!(
        (refused.len(), refused[0].reason.as_str()),
        (1, "webhooks.signature.wrong")
    );
    during.clock.advance(Duration::days(30));
    during.service.release(refused[0].id).await.unwrap();
    assert_eq!((during.events().await, during.quarantined().await), (3, 0));
    assert!(during.service.release(refused[0].id).await.is_err());

    let after = App::new(&db, &[NEW]).await;
    assert_eq!(after.send(after.signed(OLD, "evt_4", BODY)).await.0, 401);
}

#[tokio::test]
async fn what_is_refused_again_stays_in_quarantine() {
    let app = App::new(&database().await, &[OLD]).await;
    app.send(app.signed(NEW, "evt_1", BODY)).await;
    let refused = app.service.list_quarantined(10).await.unwrap();
    assert!(app.service.release(refused[0].id).await.is_err());
    assert_eq!((app.events().await, app.quarantined().await), (0, 1));
}

#[tokio::test]
async fn the_quarantine_of_a_source_is_bounded() {
    let app = App::new(&database().await, &[OLD]).await;
    for number in 0..9 {
        app.send(request(&format!("evt_{number}"), "1", "v1,AAAA", BODY))
            .await;
    }
    assert_eq!(app.quarantined().await, 5);
}

#[tokio::test]
async fn h060_a_repeat_is_answered_like_the_first() {
    let app = App::new(&database().await, &[OLD]).await;
    for _ in 0..3 {
        assert_eq!(app.send(app.signed(OLD, "evt_1", BODY)).await.0, 204);
    }
    assert_eq!((app.events().await, app.quarantined().await), (1, 0));
}

#[tokio::test]
async fn h062_another_body_under_a_known_id_is_kept_for_a_person() {
    let app = App::new(&database().await, &[OLD]).await;
    app.send(app.signed(OLD, "evt_1", BODY)).await;
    assert_eq!(app.send(app.signed(OLD, "evt_1", "{}")).await.0, 204);
    assert_eq!(app.events().await, 1);
    let refused = app.service.list_quarantined(10).await.unwrap();
    assert_eq!(refused[0].reason, "webhooks.event.other_body");
    assert!(app.service.release(refused[0].id).await.is_err());
    assert_eq!(app.quarantined().await, 1);
}

#[tokio::test]
async fn h062_equal_bodies_under_two_ids_are_two_events() {
    let app = App::new(&database().await, &[OLD]).await;
    app.send(app.signed(OLD, "evt_1", BODY)).await;
    app.send(app.signed(OLD, "evt_2", BODY)).await;
    assert_eq!(app.events().await, 2);
}

#[tokio::test]
async fn odd_requests_are_refused_each_with_its_status() {
    let app = App::new(&database().await, &[OLD]).await;
    let unknown = Request::post("/webhooks/nobody").body(Body::from("{}")).unwrap();
    assert_eq!(
        app.send(unknown).await,
        (404, "webhooks.source.unknown".to_owned())
    );
    let bare = Request::post("/webhooks/identity")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(
        app.send(bare).await,
        (401, "webhooks.signature.headers".to_owned())
    );
    let twice = Request::post("/webhooks/identity")
        .header("webhook-id", "a")
        .header("webhook-id", "b");
    assert_eq!(app.send(twice.body(Body::empty()).unwrap()).await.0, 401);
    let huge = "x".repeat(256 * 1024 + 1);
    assert_eq!(app.send(app.signed(OLD, "evt_1", &huge)).await.0, 413);
    let get = Request::get("/webhooks/identity").body(Body::empty()).unwrap();
    assert_eq!(app.send(get).await.0, 405);
    assert_eq!(app.events().await, 0);
}
