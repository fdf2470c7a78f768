use serde_json::json;

use crate::world::{HOME, Login, PASSWORD, World};

#[tokio::test]
async fn a018_each_login_has_a_new_token() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (one, two) = (world.login(&anna).await, world.login(&anna).await);
    assert_ne!(one.session_token, two.session_token);
    assert_ne!(one.session, two.session);
    assert!(one.session_token.starts_with("fxs_") && one.session_token.len() == 47);
    // Another spelling of the address is the same person; another of the password is not.
    world
        .try_login("ANNA@Example.org", PASSWORD, HOME)
        .await
        .expect(201);
    world
        .try_login(&anna.email, &PASSWORD.to_uppercase(), HOME)
        .await
        .refused(401, "core.login.wrong");
    world
        .try_login(&anna.email, &format!("{PASSWORD} "), HOME)
        .await
        .refused(401, "core.login.wrong");
}

#[tokio::test]
async fn a003_wrong_password_and_unknown_address_answer_alike() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let mut known = world
        .try_login(&anna.email, "not the password", HOME)
        .await
        .refused(401, "core.login.wrong");
    let mut unknown = world
        .try_login("nobody@example.org", "not the password", HOME)
        .await
        .expect(401);
    for body in [&mut known, &mut unknown] {
        body.as_object_mut().unwrap().remove("request_id");
    }
    assert_eq!(known, unknown);
}

#[tokio::test]
async fn a002_delays_grow_for_known_and_unknown_alike_and_end() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    for email in [anna.email.as_str(), "nobody@example.org"] {
        for _ in 0..5 {
            world
                .try_login(email, "wrong password", "203.0.113.5")
                .await
                .expect(401);
        }
        let refused = world.try_login(email, PASSWORD, "203.0.113.5").await;
        assert_eq!(refused.headers["retry-after"], "1");
        let refused = refused.refused(429, "core.too_many_attempts");
        assert!(
            refused["detail"].as_str().unwrap().contains("1 second"),
            "{refused}"
        );
    }
    // It holds for this place only: the owner at home is not kept out.
    world.login(&anna).await;
    world.pass(1);
    world
        .try_login(&anna.email, PASSWORD, "203.0.113.5")
        .await
        .expect(201);
    world
        .try_login(&anna.email, "wrong password", "203.0.113.5")
        .await
        .expect(401);
}

#[tokio::test]
async fn a002_strangers_are_stopped_at_fifty_the_owner_is_told_and_gets_in() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    world.login(&anna).await;
    let mut tried = 0;
    for n in 0..200 {
        let from = format!("203.0.113.{n}");
        if world
            .try_login(&anna.email, &format!("guess {n}"), &from)
            .await
            .status
            == 401
        {
            tried += 1;
        }
    }
    assert_eq!(tried, 50);
    world
        .try_login(&anna.email, PASSWORD, "198.51.100.1")
        .await
        .refused(429, "core.too_many_attempts");
    let told = world.last_mail(&anna.email, "login_stopped").await;
    assert_eq!(told.params["reset_link"], "https://wallet.example/password/reset");
    // No weapon: from a place of the owner the log-in goes on, and the mailbox opens every other place.
    world.login(&anna).await;
    world
        .post("/v1/password-resets", json!({ "email": anna.email }))
        .await
        .expect(202);
    let code = world.last_mail(&anna.email, "password_reset").await.params;
    let token = code["link"].split_once("#token=").unwrap().1;
    let body = json!({ "token": token, "password": "another umbrage lantern 9" });
    world.post("/v1/password-resets/confirm", body).await.expect(204);
    world
        .try_login(&anna.email, "another umbrage lantern 9", "198.51.100.1")
        .await
        .expect(201);
}

#[tokio::test]
async fn a001_one_network_tries_many_accounts_sixty_times() {
    let mut config = crate::world::config();
    config.limits.logins_per_network = ferrex_core::throttle::Limits::default().logins_per_network;
    let world = World::with(config).await;
    let anna = world.person("anna").await;
    for n in 0..60 {
        let from = format!("2001:db8:1:2::{n:x}"); // one customer's /64
        world
            .try_login(&format!("user{n}@example.org"), "spring 2026 password", &from)
            .await
            .expect(401);
    }
    world
        .try_login(&anna.email, PASSWORD, "2001:db8:1:2::ffff")
        .await
        .refused(429, "core.too_many_attempts");
    world
        .try_login(&anna.email, PASSWORD, "2001:db8:1:3::1")
        .await
        .expect(201);
}

#[tokio::test]
async fn a002_a_hundred_guesses_at_once_are_a_hundred_guesses() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let guesses = (0..100).map(|n| {
        let guess = format!("guess number {n}");
        let (world, email) = (&world, &anna.email);
        async move { world.try_login(email, &guess, "203.0.113.5").await.status }
    });
    let answers = futures::future::join_all(guesses).await;
    assert_eq!(
        answers.iter().filter(|status| **status == 401).count(),
        5,
        "{answers:?}"
    );
}

#[tokio::test]
async fn overload_is_answered_503_within_a_bounded_time() {
    let mut config = crate::world::config();
    config.hashing.memory_kib = 19_456;
    config.hashing.passes = 2;
    config.hashing.parallel = 1;
    config.hashing.queue_max = 2;
    config.hashing.patience_ms = 50;
    let world = World::with(config).await;
    let tries = (0..20).map(|n| {
        let (world, email) = (&world, format!("user{n}@example.org"));
        async move { world.try_login(&email, "some password", HOME).await }
    });
    let answers = futures::future::join_all(tries).await;
    assert!(
        answers
            .iter()
            .any(|answer| answer.status == 503 && answer.body["code"] == "core.overloaded")
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 503 || answer.status == 401)
    );
}

#[tokio::test]
async fn the_second_factor_is_owed_before_there_is_a_session() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, recovery) = world.enrol(&world.login(&anna).await).await;
    world.pass(30);
    let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    assert!(owed.get("session_token").is_none());
    let token = owed["login_token"].as_str().unwrap();
    let wrong = json!({ "login_token": token, "code": "000000" });
    world
        .post("/v1/sessions/second-factor", wrong)
        .await
        .refused(422, "core.second_factor.wrong");
    let right = json!({ "login_token": token, "code": world.code(&secret) });
    let login = Login::read(
        &world
            .post("/v1/sessions/second-factor", right.clone())
            .await
            .expect(201),
    );
    world.get_as(&login, "/v1/me").await.expect(200);
    world
        .post("/v1/sessions/second-factor", right)
        .await
        .refused(401, "core.login.over");

    // A recovery code does it too, once; five minutes is the time there is.
    let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    let body = json!({ "login_token": owed["login_token"], "code": recovery[0] });
    world.post("/v1/sessions/second-factor", body).await.expect(201);
    let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    world.pass(300);
    let body = json!({ "login_token": owed["login_token"], "code": recovery[1] });
    world
        .post("/v1/sessions/second-factor", body)
        .await
        .refused(401, "core.login.over");
}
