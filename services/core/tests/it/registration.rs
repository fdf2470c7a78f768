use ferrex_contracts::core::UserConfirmed;
use ferrex_core::challenges::TRIES_MAX;
use serde_json::json;

use crate::world::{PASSWORD, World};

#[tokio::test]
async fn a_person_signs_up_by_code() {
    let world = World::new().await;
    let (id, email) = world.register("anna").await;
    let mail = world.last_mail(&email, "confirm_email").await;
    assert_eq!(
        (
            mail.params["code"].len(),
            &*mail.params["user_name"],
            &*mail.params["minutes"]
        ),
        (8, "anna", "30")
    );
    assert!(
        mail.params["link"].starts_with("https://wallet.example/register/confirm#token=fxm_"),
        "{mail:?}"
    );
    world
        .try_login(&email, PASSWORD, "192.0.2.1")
        .await
        .refused(401, "core.login.wrong");

    let body = json!({ "id": id, "code": mail.params["code"] });
    let account = world
        .post("/v1/registrations/confirm", body.clone())
        .await
        .expect(201);
    assert_eq!(
        (&account["user_name"], &account["email"]),
        (&json!("anna"), &json!(email))
    );
    let events: Vec<UserConfirmed> = world.messages().await;
    assert_eq!(
        (
            events.len(),
            &*events[0].username,
            &*events[0].email,
            events[0].version
        ),
        (1, "anna", &*email, 1)
    );
    assert_eq!(json!(events[0].user), account["user_id"]);

    world
        .post("/v1/registrations/confirm", body)
        .await
        .refused(422, "core.code.wrong");
    world.try_login(&email, PASSWORD, "192.0.2.1").await.expect(201);
}

#[tokio::test]
async fn a_person_signs_up_by_link_once() {
    let world = World::new().await;
    let (_, email) = world.register("anna").await;
    let link = world.last_mail(&email, "confirm_email").await.params["link"].clone();
    let token = link.split_once("#token=").unwrap().1;
    world
        .post("/v1/registrations/confirm", json!({ "token": token }))
        .await
        .expect(201);
    world
        .post("/v1/registrations/confirm", json!({ "token": token }))
        .await
        .refused(422, "core.code.wrong");
    world
        .post("/v1/registrations/confirm", json!({ "token": "fxm_x" }))
        .await
        .refused(422, "core.code.wrong");
}

#[tokio::test]
async fn a003_known_and_unknown_addresses_answer_alike() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let ask = |email: &str, name: &str| json!({ "email": email, "user_name": name, "password": PASSWORD });
    let known = world
        .post("/v1/registrations", ask("ANNA@example.org", "somebody"))
        .await
        .expect(202);
    let unknown = world
        .post("/v1/registrations", ask("bert@example.org", "somebody_else"))
        .await
        .expect(202);
    let fields = |body: &serde_json::Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&known), fields(&unknown));
    assert_eq!(known["expires_at"], unknown["expires_at"]);
    // The owner hears of it at the address as the owner wrote it, and no code is in that mail.
    let mail = world.last_mail(&anna.email, "already_registered").await;
    assert!(!mail.params.contains_key("code"), "{mail:?}");

    // The name is reserved in both cases, so asking for it again does not tell either.
    for name in ["somebody", "somebody_else"] {
        let body = world
            .post("/v1/registrations", ask("carl@example.org", name))
            .await;
        body.refused(409, "core.user_name.taken");
    }
    // Sending again and answering wrongly look alike too.
    for id in [&known["id"], &unknown["id"]] {
        let path = format!("/v1/registrations/{}/resend", id.as_str().unwrap());
        world.post(&path, json!({})).await.expect(202);
        let body = json!({ "id": id, "code": "00000000" });
        world
            .post("/v1/registrations/confirm", body)
            .await
            .refused(422, "core.code.wrong");
    }
}

#[tokio::test]
async fn h085_a_new_code_makes_the_old_one_worthless() {
    let world = World::new().await;
    let (id, email) = world.register("anna").await;
    let old = world.last_mail(&email, "confirm_email").await.params;
    world
        .post(&format!("/v1/registrations/{id}/resend"), json!({}))
        .await
        .expect(202);
    let new = world.last_mail(&email, "confirm_email").await.params;
    let old_token = old["link"].split_once("#token=").unwrap().1;
    world
        .post("/v1/registrations/confirm", json!({ "token": old_token }))
        .await
        .refused(422, "core.code.wrong");
    world
        .post(
            "/v1/registrations/confirm",
            json!({ "id": id, "code": old["code"] }),
        )
        .await
        .expect(422);
    world
        .post(
            "/v1/registrations/confirm",
            json!({ "id": id, "code": new["code"] }),
        )
        .await
        .expect(201);
    world
        .post(&format!("/v1/registrations/{id}/resend"), json!({}))
        .await
        .refused(404, "core.code.not_found");
}

#[tokio::test]
async fn h092_a_code_is_bound_to_its_tries_its_time_and_its_request() {
    let world = World::new().await;
    let (id, email) = world.register("anna").await;
    let code = world.last_mail(&email, "confirm_email").await.params["code"].clone();
    let (other, _) = world.register("bert").await;
    world
        .post("/v1/registrations/confirm", json!({ "id": other, "code": code }))
        .await
        .expect(422);
    let wrong = if code == "00000000" {
        "00000001"
    } else {
        "00000000"
    };
    for _ in 0..TRIES_MAX {
        world
            .post("/v1/registrations/confirm", json!({ "id": id, "code": wrong }))
            .await
            .expect(422);
    }
    world
        .post("/v1/registrations/confirm", json!({ "id": id, "code": code }))
        .await
        .refused(422, "core.code.wrong");

    let (id, email) = world.register("carl").await;
    let code = world.last_mail(&email, "confirm_email").await.params["code"].clone();
    world.pass(30 * 60);
    world
        .post("/v1/registrations/confirm", json!({ "id": id, "code": code }))
        .await
        .refused(422, "core.code.wrong");
}

#[tokio::test]
async fn h092_a_code_tried_fifty_times_at_once_is_tried_five_times() {
    let world = World::new().await;
    let (id, email) = world.register("anna").await;
    let code: u32 = world.last_mail(&email, "confirm_email").await.params["code"]
        .parse()
        .unwrap();
    let tries = (0..50).map(|n| {
        let guess = (code + 1 + n) % 100_000_000;
        world.post(
            "/v1/registrations/confirm",
            json!({ "id": id, "code": format!("{guess:08}") }),
        )
    });
    futures::future::join_all(tries)
        .await
        .into_iter()
        .for_each(|answer| drop(answer.expect(422)));
    world
        .post(
            "/v1/registrations/confirm",
            json!({ "id": id, "code": format!("{code:08}") }),
        )
        .await
        .expect(422);
}

#[tokio::test]
async fn a016_an_address_gets_five_mails_an_hour_whether_known_or_not() {
    let world = World::new().await;
    world.person("anna").await; // the first mail
    for (email, first) in [("anna@example.org", 1), ("bert@example.org", 0)] {
        for n in first..5 {
            let name = format!("name{n}.{}", &email[..4]);
            let body = json!({ "email": email, "user_name": name, "password": PASSWORD });
            world.post("/v1/registrations", body).await.expect(202);
        }
        let body = json!({ "email": email, "user_name": "one_more", "password": PASSWORD });
        world
            .post("/v1/registrations", body)
            .await
            .refused(429, "core.too_many_attempts");
        world
            .post("/v1/password-resets", json!({ "email": email }))
            .await
            .refused(429, "core.too_many_attempts");
        assert_eq!(world.mails(email).await.len(), 5);
    }
    world.pass(3600);
    world
        .post("/v1/password-resets", json!({ "email": "anna@example.org" }))
        .await
        .expect(202);
}

#[tokio::test]
async fn nobody_slips_a_password_into_another_persons_account() {
    let world = World::new().await;
    // An attacker registers the victim's address first; then the victim does.
    let attack =
        json!({ "email": "anna@example.org", "user_name": "mallory", "password": "my evil password 4711" });
    let attack = world.post("/v1/registrations", attack).await.expect(202);
    let attack_code = world.last_mail("anna@example.org", "confirm_email").await.params["code"].clone();
    let anna = world.person("anna").await;
    world
        .try_login(&anna.email, "my evil password 4711", "192.0.2.1")
        .await
        .expect(401);
    world
        .try_login(&anna.email, PASSWORD, "192.0.2.1")
        .await
        .expect(201);
    // Confirming one registration voids the others.
    let body = json!({ "id": attack["id"], "code": attack_code });
    world
        .post("/v1/registrations/confirm", body)
        .await
        .refused(422, "core.code.wrong");
}

#[tokio::test]
async fn user_names_are_unique_when_folded_and_free_again_when_not_confirmed() {
    let world = World::new().await;
    world.person("anna").await;
    let ask = |email: &str, name: &str| json!({ "email": email, "user_name": name, "password": PASSWORD });
    let refused = world
        .post("/v1/registrations", ask("bert@example.org", "ANNA"))
        .await;
    assert_eq!(
        refused.refused(409, "core.user_name.taken")["errors"][0]["field"],
        "user_name"
    );
    world
        .post("/v1/registrations", ask("bert@example.org", "bert"))
        .await
        .expect(202);
    world
        .post("/v1/registrations", ask("carl@example.org", "bert"))
        .await
        .refused(409, "core.user_name.taken");
    // The same person may begin again with the same name.
    world
        .post("/v1/registrations", ask("bert@example.org", "bert"))
        .await
        .expect(202);
    world.pass(31 * 60);
    world
        .post("/v1/registrations", ask("carl@example.org", "bert"))
        .await
        .expect(202);
}

#[tokio::test]
async fn one_address_confirmed_twice_at_once_is_one_account() {
    let world = World::new().await;
    let mut confirmations = Vec::new();
    for name in ["anna1", "anna2", "anna3"] {
        let body = json!({ "email": "anna@example.org", "user_name": name, "password": PASSWORD });
        let id = world.post("/v1/registrations", body).await.expect(202)["id"].clone();
        let code = world.last_mail("anna@example.org", "confirm_email").await.params["code"].clone();
        confirmations.push(world.post("/v1/registrations/confirm", json!({ "id": id, "code": code })));
    }
    let answers = futures::future::join_all(confirmations).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(
        created,
        1,
        "{:?}",
        answers.iter().map(|answer| &answer.body).collect::<Vec<_>>()
    );
    assert_eq!(world.messages::<UserConfirmed>().await.len(), 1);
}
