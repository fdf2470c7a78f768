use axum::http::Method;
use ferrex_contracts::core::{SessionRevoked, UserCredentialsChanged};
use ferrex_time::Clock as _;
use serde_json::{Value, json};

use crate::world::{HOME, Login, PASSWORD, World};

const NEW: &str = "another umbrage lantern 9";
const RESETS: &str = "/v1/password-resets";
const CONFIRM: &str = "/v1/password-resets/confirm";

async fn ask(world: &World, email: &str) -> (Value, String) {
    let id = world.post(RESETS, json!({ "email": email })).await.expect(202)["id"].clone();
    (
        id,
        world.last_mail(email, "password_reset").await.params["code"].clone(),
    )
}

#[tokio::test]
async fn a_reset_ends_every_session_and_makes_withdrawals_rest() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let logins = [world.login(&anna).await, world.login(&anna).await];
    let (id, code) = ask(&world, &anna.email).await;
    let body = json!({ "id": id, "code": code, "password": NEW });
    world.post(CONFIRM, body.clone()).await.expect(204);
    for login in &logins {
        world.get_as(login, "/v1/me").await.expect(401);
    }
    assert_eq!(world.messages::<SessionRevoked>().await.len(), 2);
    let events: Vec<UserCredentialsChanged> = world.messages().await;
    assert_eq!(events.len(), 1, "h091");
    assert_eq!(
        events[0].withdrawals_rest_until,
        world.clock.now() + ferrex_time::Duration::hours(24)
    );
    world.last_mail(&anna.email, "password_changed").await;
    world.try_login(&anna.email, PASSWORD, HOME).await.expect(401);
    world.try_login(&anna.email, NEW, HOME).await.expect(201);
    world.post(CONFIRM, body).await.refused(422, "core.code.wrong");
}

#[tokio::test]
async fn a003_a_reset_of_an_unknown_address_answers_alike() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let known = world
        .post(RESETS, json!({ "email": anna.email }))
        .await
        .expect(202);
    let unknown = world
        .post(RESETS, json!({ "email": "nobody@example.org" }))
        .await
        .expect(202);
    assert_eq!(known["expires_at"], unknown["expires_at"]);
    assert_eq!(
        known.as_object().unwrap().len(),
        unknown.as_object().unwrap().len()
    );
    world.last_mail("nobody@example.org", "no_account").await;
    for id in [&known["id"], &unknown["id"]] {
        let body = json!({ "id": id, "code": "00000000", "password": NEW });
        world.post(CONFIRM, body).await.refused(422, "core.code.wrong");
    }
}

#[tokio::test]
async fn a009_with_a_second_factor_the_code_of_the_mail_is_not_enough() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, _) = world.enrol(&world.login(&anna).await).await;
    world.pass(60);
    let (id, code) = ask(&world, &anna.email).await;
    let mut body = json!({ "id": id, "code": code, "password": NEW });
    let missing = world.post(CONFIRM, body.clone()).await;
    let missing = missing.refused(403, "core.second_factor.required");
    assert_eq!(missing["errors"][0]["field"], "second_factor_code");
    body["second_factor_code"] = json!("000000");
    let wrong = world.post(CONFIRM, body.clone()).await;
    let wrong = wrong.refused(422, "core.second_factor.wrong");
    assert_eq!(wrong["errors"][0]["field"], "second_factor_code");
    world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    body["second_factor_code"] = json!(world.code(&secret));
    world.post(CONFIRM, body).await.expect(204);
    world.try_login(&anna.email, NEW, HOME).await.expect(202);
}

#[tokio::test]
async fn a009_a_reset_is_used_once_also_at_the_same_instant() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (id, code) = ask(&world, &anna.email).await;
    let tries = (0..10).map(|n| {
        world.post(
            CONFIRM,
            json!({ "id": id, "code": code, "password": format!("another umbrage lantern {n}") }),
        )
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 9);
}

#[tokio::test]
async fn a_code_of_one_purpose_is_none_for_another_and_a_newer_request_voids_it() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (registration, email) = world.register("bert").await;
    let code = world.last_mail(&email, "confirm_email").await.params["code"].clone();
    let body = json!({ "id": registration, "code": code, "password": NEW });
    world.post(CONFIRM, body).await.refused(422, "core.code.wrong");

    let (old_id, old_code) = ask(&world, &anna.email).await;
    let (id, code) = ask(&world, &anna.email).await;
    world
        .post(
            CONFIRM,
            json!({ "id": old_id, "code": old_code, "password": NEW }),
        )
        .await
        .expect(422);
    world
        .post(
            CONFIRM,
            json!({ "id": id, "code": code, "password": "ferrex wallet" }),
        )
        .await
        .refused(422, "core.password.refused");
    world
        .post(CONFIRM, json!({ "id": id, "code": code, "password": NEW }))
        .await
        .expect(204);
}

#[tokio::test]
async fn a_login_that_owes_its_factor_does_not_survive_a_reset() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, codes) = world.enrol(&world.login(&anna).await).await;
    world.pass(60);
    let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    let (id, code) = ask(&world, &anna.email).await;
    let body = json!({ "id": id, "code": code, "password": NEW, "second_factor_code": codes[0] });
    world.post(CONFIRM, body).await.expect(204);
    let body = json!({ "login_token": owed["login_token"], "code": world.code(&secret) });
    world
        .post("/v1/sessions/second-factor", body)
        .await
        .refused(401, "core.login.over");
}

#[tokio::test]
async fn a019_changing_the_password_ends_the_other_sessions() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (here, there) = (world.login(&anna).await, world.login(&anna).await);
    let put = async |login: &Login, body: Value| {
        let body = body.to_string();
        world
            .call(
                Method::PUT,
                "/v1/me/password",
                Some(&login.access_token),
                Some(&body),
                HOME,
            )
            .await
    };
    put(&here, json!({ "password": "wrong", "new_password": NEW }))
        .await
        .refused(422, "core.password.wrong");
    let weak = put(
        &here,
        json!({ "password": PASSWORD, "new_password": "anna@example.org" }),
    )
    .await;
    assert_eq!(
        weak.refused(422, "core.password.refused")["errors"][0]["field"],
        "new_password"
    );
    put(&here, json!({ "password": PASSWORD, "new_password": NEW }))
        .await
        .expect(204);
    world.get_as(&here, "/v1/me").await.expect(200);
    world.get_as(&there, "/v1/me").await.expect(401);
    world.try_login(&anna.email, NEW, HOME).await.expect(201);
}
