use serde_json::json;

use crate::world::{PASSWORD, Person, World, token_of};

async fn person(world: &World) -> Person {
    let link = world.service.first_link().await.unwrap().unwrap();
    let person = world.set_up(token_of(&link), "olga").await;
    world.advance(30);
    person
}

#[tokio::test]
async fn name_password_and_code_give_a_session_that_can_be_revoked() {
    let world = World::start().await;
    let olga = person(&world).await;
    let first = world
        .log_in(&olga, PASSWORD, &olga.code(&world))
        .await
        .expect(201);
    world.advance(30);
    let second = world
        .log_in(&olga, PASSWORD, &olga.code(&world))
        .await
        .expect(201);
    let token = |session: &serde_json::Value| session["token"].as_str().unwrap().to_owned();
    let list = world.get("/v1/sessions", &token(&second)).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(list["items"][0]["current"], true);
    assert!(!list.to_string().contains("fxa_"), "no token is shown twice");
    let path = format!("/v1/sessions/{}", first["session"].as_str().unwrap());
    world.delete(&path, &token(&second)).await.expect(204);
    world
        .delete(&path, &token(&second))
        .await
        .refused(404, "admin.session.not_found");
    world
        .get("/v1/me", &token(&first))
        .await
        .refused(401, "admin.session.missing");
    world.get("/v1/me", &token(&second)).await.expect(200);
}

#[tokio::test]
async fn sessions_end_when_idle_and_in_any_case() {
    let world = World::start().await;
    let token = world.operator().await;
    for _ in 0..20 {
        world.advance(29 * 60);
        world.get("/v1/me", &token).await.expect(200);
    }
    // Ten hours in all, however busy.
    world.advance(29 * 60);
    world
        .get("/v1/me", &token)
        .await
        .refused(401, "admin.session.missing");

    let other = World::start().await;
    let token = other.operator().await;
    other.advance(31 * 60);
    other
        .get("/v1/me", &token)
        .await
        .refused(401, "admin.session.missing");
}

#[tokio::test]
async fn a006_a_code_is_good_once_even_at_the_same_moment() {
    let world = World::start().await;
    let olga = person(&world).await;
    let code = olga.code(&world);
    let log_in = || world.log_in(&olga, PASSWORD, &code);
    let (one, two, three, four) = tokio::join!(log_in(), log_in(), log_in(), log_in());
    let good = [one, two, three, four]
        .into_iter()
        .filter(|answer| answer.status == 201)
        .count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn what_was_wrong_is_not_said_and_an_unknown_name_is_refused_alike() {
    let world = World::start().await;
    let olga = person(&world).await;
    let nobody = world
        .post(
            "/v1/sessions",
            None,
            json!({ "name": "nobody", "password": PASSWORD, "code": "123456" }),
        )
        .await
        .refused(401, "admin.login.refused");
    let wrong_password = world
        .log_in(&olga, "wrong password here", &olga.code(&world))
        .await
        .refused(401, "admin.login.refused");
    let wrong_code = world
        .log_in(&olga, PASSWORD, "000000")
        .await
        .refused(401, "admin.login.refused");
    for answer in [&wrong_password, &wrong_code] {
        assert_eq!(
            (&answer["detail"], &answer["errors"]),
            (&nobody["detail"], &nobody["errors"])
        );
    }
    let token = world
        .log_in(&olga, PASSWORD, &olga.code(&world))
        .await
        .expect(201)["token"]
        .clone();
    let refused = ("session.log_in".to_owned(), "refused".to_owned());
    let audited = world.audited(token.as_str().unwrap()).await;
    assert_eq!(audited.iter().filter(|entry| **entry == refused).count(), 3);
}

#[tokio::test]
async fn a005_codes_cannot_be_guessed() {
    let world = World::start().await;
    let olga = person(&world).await;
    for guess in 0..5 {
        world
            .log_in(&olga, PASSWORD, &format!("00000{guess}"))
            .await
            .refused(401, "admin.login.refused");
    }
    // The right code comes too late, until the window has passed.
    let late = world.log_in(&olga, PASSWORD, &olga.code(&world)).await;
    assert_eq!(late.headers["retry-after"], "300");
    late.refused(429, "admin.too_many_attempts");
    world.advance(300);
    world
        .log_in(&olga, PASSWORD, &olga.code(&world))
        .await
        .expect(201);
}
