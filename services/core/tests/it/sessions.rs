use axum::http::Method;
use ferrex_contracts::core::SessionRevoked;
use serde_json::json;

use crate::world::{HOME, Login, PASSWORD, World};

#[tokio::test]
async fn a_person_sees_and_ends_sessions() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let home = world.login(&anna).await;
    let away = Login::read(
        &world
            .try_login(&anna.email, PASSWORD, "2001:db8::9")
            .await
            .expect(201),
    );
    let list = world.get_as(&home, "/v1/sessions").await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let mine = items
        .iter()
        .find(|item| item["id"] == json!(home.session))
        .unwrap();
    assert_eq!(
        (&mine["current"], &mine["device"], &mine["address"]),
        (&json!(true), &json!("Firefox on Linux"), &json!(HOME))
    );
    let other = items
        .iter()
        .find(|item| item["id"] == json!(away.session))
        .unwrap();
    assert_eq!(
        (&other["current"], &other["address"]),
        (&json!(false), &json!("2001:db8::9"))
    );

    world
        .delete_as(&home, &format!("/v1/sessions/{}", away.session))
        .await
        .expect(204);
    world.get_as(&away, "/v1/me").await.expect(401);
    let events: Vec<SessionRevoked> = world.messages().await;
    assert_eq!(
        (events.len(), events[0].session.to_string()),
        (1, away.session.clone())
    );
    // Ending it again is no error and no second event.
    world
        .delete_as(&home, &format!("/v1/sessions/{}", away.session))
        .await
        .expect(204);
    assert_eq!(world.messages::<SessionRevoked>().await.len(), 1);

    let (two, three) = (world.login(&anna).await, world.login(&anna).await);
    let ended = world.delete_as(&home, "/v1/sessions").await.expect(200);
    assert_eq!(ended["revoked"], 2);
    world.get_as(&home, "/v1/me").await.expect(200);
    for login in [two, three] {
        world.get_as(&login, "/v1/me").await.expect(401);
    }
}

#[tokio::test]
async fn a_log_in_from_a_new_place_is_told() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    world.login(&anna).await;
    world.login(&anna).await;
    assert!(
        world
            .mails(&anna.email)
            .await
            .iter()
            .all(|mail| mail.template != "new_login")
    );
    world
        .try_login(&anna.email, PASSWORD, "203.0.113.9")
        .await
        .expect(201);
    let told = world.last_mail(&anna.email, "new_login").await.params;
    assert_eq!(
        (&*told["address"], &*told["device"]),
        ("203.0.113.9", "Firefox on Linux")
    );
    let count = world.mails(&anna.email).await.len();
    world
        .try_login(&anna.email, PASSWORD, "203.0.113.9")
        .await
        .expect(201);
    assert_eq!(world.mails(&anna.email).await.len(), count);
}

#[tokio::test]
async fn a019_after_logout_nothing_of_the_session_works() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    world.delete_as(&login, "/v1/sessions/current").await.expect(204);
    world.get_as(&login, "/v1/me").await.expect(401);
    let renew = world
        .call(
            Method::POST,
            "/v1/sessions/current/token",
            Some(&login.session_token),
            None,
            HOME,
        )
        .await;
    renew.refused(401, "core.session.ended");
}

#[tokio::test]
async fn a019_core_looks_at_the_row_and_not_at_the_token_alone() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    // Another process ended it: this one's verifier has not heard of it.
    sqlx::query("UPDATE sessions SET revoked_at = now(), revoked_because = 'elsewhere'")
        .execute(world.db.pool())
        .await
        .unwrap();
    assert!(world.verifier.verify(&login.access_token).is_ok());
    world
        .get_as(&login, "/v1/me")
        .await
        .refused(401, "core.session.ended");
}

#[tokio::test]
async fn a_session_ends_when_idle_and_in_any_case() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let renew = async |login: &Login| {
        world
            .call(
                Method::POST,
                "/v1/sessions/current/token",
                Some(&login.session_token),
                None,
                HOME,
            )
            .await
    };
    let idle = world.login(&anna).await;
    world.pass(12 * 3600);
    renew(&idle).await.refused(401, "core.session.ended");

    let used = world.login(&anna).await;
    for _ in 0..27 {
        world.pass(12 * 3600 - 60);
        let body = renew(&used).await.expect(200);
        assert!(
            world
                .verifier
                .verify(body["access_token"].as_str().unwrap())
                .is_ok()
        );
    }
    world.pass(12 * 3600);
    renew(&used).await.refused(401, "core.session.ended");
}

#[tokio::test]
async fn a_session_token_is_no_access_token_and_the_other_way_round() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    world
        .call(Method::GET, "/v1/me", Some(&login.session_token), None, HOME)
        .await
        .expect(401);
    let path = "/v1/sessions/current/token";
    world
        .call(Method::POST, path, Some(&login.access_token), None, HOME)
        .await
        .refused(401, "core.session.ended");
    world
        .call(Method::POST, path, None, None, HOME)
        .await
        .refused(401, "core.session.token_missing");
    world
        .call(
            Method::GET,
            &format!("/v1/me?access_token={}", login.access_token),
            None,
            None,
            HOME,
        )
        .await
        .expect(401);
    world.pass(400);
    world
        .get_as(&login, "/v1/me")
        .await
        .refused(401, "web.token.expired");
}

#[tokio::test]
async fn a026_another_persons_session_is_as_if_it_were_not_there() {
    let world = World::new().await;
    let (anna, bert) = (world.person("anna").await, world.person("bert").await);
    let (anna, bert) = (world.login(&anna).await, world.login(&bert).await);
    let foreign = world
        .delete_as(&bert, &format!("/v1/sessions/{}", anna.session))
        .await;
    foreign.refused(404, "core.session.not_found");
    let missing = ferrex_ids::SessionId::new_at(1);
    world
        .delete_as(&bert, &format!("/v1/sessions/{missing}"))
        .await
        .refused(404, "core.session.not_found");
    world.delete_as(&bert, "/v1/sessions/nonsense").await.expect(422);
    world.get_as(&anna, "/v1/me").await.expect(200);
}

#[tokio::test]
async fn a025_the_oldest_unused_session_gives_way() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let first = world.login(&anna).await;
    world.pass(1);
    for _ in 0..20 {
        world.login(&anna).await;
    }
    world.get_as(&first, "/v1/me").await.expect(401);
    // All of the same instant; never does the new one give way.
    for _ in 0..5 {
        let last = world.login(&anna).await;
        let list = world.get_as(&last, "/v1/sessions").await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 20);
    }
}
