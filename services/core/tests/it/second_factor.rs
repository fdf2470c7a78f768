use ferrex_contracts::core::UserCredentialsChanged;
use ferrex_time::Clock as _;
use serde_json::json;

use crate::world::{HOME, Login, PASSWORD, World};

const TOTP: &str = "/v1/me/second-factor/totp";

#[tokio::test]
async fn an_authenticator_is_enrolled_with_password_and_first_code() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    world
        .post_as(&login, TOTP, json!({ "password": "wrong" }))
        .await
        .refused(422, "core.password.wrong");
    world
        .post_as(&login, &format!("{TOTP}/confirm"), json!({ "code": "123456" }))
        .await
        .refused(409, "core.second_factor.no_enrolment");
    let begun = world
        .post_as(&login, TOTP, json!({ "password": PASSWORD }))
        .await
        .expect(201);
    let uri = begun["otpauth_uri"].as_str().unwrap();
    assert!(
        uri.starts_with("otpauth://totp/Ferrex:anna%40example.org?secret="),
        "{uri}"
    );
    assert_eq!(
        world.get_as(&login, "/v1/me").await.expect(200)["second_factor"],
        false
    );
    world
        .post_as(&login, &format!("{TOTP}/confirm"), json!({ "code": "000000" }))
        .await
        .refused(422, "core.second_factor.wrong");
    let code = world.code(begun["secret"].as_str().unwrap());
    let done = world
        .post_as(&login, &format!("{TOTP}/confirm"), json!({ "code": code }))
        .await
        .expect(200);
    assert_eq!(done["recovery_codes"].as_array().unwrap().len(), 10);
    let status = world.get_as(&login, "/v1/me/second-factor").await.expect(200);
    assert_eq!(
        (&status["enrolled"], &status["recovery_codes_left"]),
        (&json!(true), &json!(10))
    );
    // On the day of sign-up withdrawals need not rest.
    assert!(world.messages::<UserCredentialsChanged>().await.is_empty());
    assert_eq!(
        world.last_mail(&anna.email, "second_factor_changed").await.params["change"],
        "enrolled"
    );
}

#[tokio::test]
async fn a011_a_factor_enrolled_later_makes_withdrawals_rest() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    world.pass(25 * 3600);
    world.enrol(&world.login(&anna).await).await;
    let events: Vec<UserCredentialsChanged> = world.messages().await;
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].withdrawals_rest_until,
        world.clock.now() + ferrex_time::Duration::hours(24)
    );
    assert_eq!(events[0].version, 2);
}

#[tokio::test]
async fn a006_a_code_is_good_once_also_fifty_times_at_once() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, _) = world.enrol(&world.login(&anna).await).await;
    // The code that confirmed the enrolment is used up.
    let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    let body = json!({ "login_token": owed["login_token"], "code": world.code(&secret) });
    world
        .post("/v1/sessions/second-factor", body)
        .await
        .refused(422, "core.second_factor.used");

    world.pass(30);
    let code = world.code(&secret);
    let mut logins = Vec::new();
    for _ in 0..50 {
        let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
        let body = json!({ "login_token": owed["login_token"], "code": code });
        logins.push(world.post("/v1/sessions/second-factor", body));
    }
    let answers = futures::future::join_all(logins).await;
    let done = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(
        done,
        1,
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a007_codes_two_steps_away_are_refused() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, _) = world.enrol(&world.login(&anna).await).await;
    world.pass(600);
    for (steps, status) in [(-2, 422), (2, 422), (-1, 201), (1, 201)] {
        let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
        let body = json!({ "login_token": owed["login_token"], "code": world.code_at(&secret, steps) });
        world
            .post("/v1/sessions/second-factor", body)
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn a005_five_wrong_codes_per_account_over_all_sessions() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, _) = world.enrol(&world.login(&anna).await).await;
    world.pass(60);
    let right = world.code(&secret);
    let wrong: Vec<String> = (0..40)
        .map(|n| format!("{:06}", (right.parse::<u32>().unwrap() + 1_000 + n) % 1_000_000))
        .collect();
    let mut tokens = Vec::new();
    for _ in 0..4 {
        let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
        tokens.push(owed["login_token"].clone());
    }
    let tries = wrong.iter().enumerate().map(|(n, code)| {
        world.post(
            "/v1/sessions/second-factor",
            json!({ "login_token": tokens[n % 4], "code": code }),
        )
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 35);
    // The right code is refused as well until the window ends.
    let body = json!({ "login_token": tokens[0], "code": right });
    world
        .post("/v1/sessions/second-factor", body)
        .await
        .refused(429, "core.too_many_attempts");
    world.pass(300);
    let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
    let body = json!({ "login_token": owed["login_token"], "code": world.code(&secret) });
    world.post("/v1/sessions/second-factor", body).await.expect(201);
}

#[tokio::test]
async fn a008_a_recovery_code_is_good_once_and_stored_hashed() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    let (secret, codes) = world.enrol(&login).await;
    let mut logins = Vec::new();
    for _ in 0..5 {
        let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
        logins.push(world.post(
            "/v1/sessions/second-factor",
            json!({ "login_token": owed["login_token"], "code": codes[3] }),
        ));
    }
    let answers = futures::future::join_all(logins).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let status = world.get_as(&login, "/v1/me/second-factor").await.expect(200);
    assert_eq!(status["recovery_codes_left"], 9);
    assert_eq!(
        world.last_mail(&anna.email, "second_factor_changed").await.params["change"],
        "recovery_code_used"
    );

    let dump: Vec<Vec<u8>> = sqlx::query_scalar("SELECT code_hash FROM recovery_codes")
        .fetch_all(world.db.pool())
        .await
        .unwrap();
    assert!(
        dump.iter()
            .all(|hash| hash.len() == 32 && !codes.iter().any(|code| hash == code.as_bytes()))
    );
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT secret_sealed FROM totp_factors")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    let plain = totp_rs::Secret::try_from_base32(&secret).unwrap();
    assert!(
        !sealed
            .windows(8)
            .any(|window| plain.as_bytes().windows(8).any(|other| other == window))
    );

    world.pass(600);
    let path = "/v1/me/second-factor/recovery-codes";
    let login = world.post("/v1/sessions/second-factor", {
        let owed = world.try_login(&anna.email, PASSWORD, HOME).await.expect(202);
        json!({ "login_token": owed["login_token"], "code": world.code(&secret) })
    });
    let login = Login::read(&login.await.expect(201));
    let new = world
        .post_as(&login, path, json!({ "code": codes[0] }))
        .await
        .expect(200);
    assert_ne!(new["recovery_codes"][0], json!(codes[0]));
    world
        .post_as(&login, path, json!({ "code": codes[1] }))
        .await
        .refused(422, "core.second_factor.wrong");
}

#[tokio::test]
async fn removing_or_replacing_a_factor_needs_the_factor() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    let disable = format!("{TOTP}/disable");
    let none = json!({ "password": PASSWORD, "code": "123456" });
    world
        .post_as(&login, &disable, none.clone())
        .await
        .refused(403, "core.second_factor.not_enrolled");
    let (secret, codes) = world.enrol(&login).await;

    world
        .post_as(&login, TOTP, json!({ "password": PASSWORD }))
        .await
        .refused(403, "core.second_factor.required");
    world
        .post_as(&login, &disable, none)
        .await
        .refused(422, "core.second_factor.wrong");
    let begun = world
        .post_as(&login, TOTP, json!({ "password": PASSWORD, "code": codes[0] }))
        .await
        .expect(201);
    let new_secret = begun["secret"].as_str().unwrap().to_owned();
    let code = json!({ "code": world.code(&new_secret) });
    world
        .post_as(&login, &format!("{TOTP}/confirm"), code)
        .await
        .expect(200);
    assert_eq!(world.messages::<UserCredentialsChanged>().await.len(), 1);

    world.pass(60);
    let old = json!({ "password": PASSWORD, "code": world.code(&secret) });
    world
        .post_as(&login, &disable, old)
        .await
        .refused(422, "core.second_factor.wrong");
    let new = json!({ "password": PASSWORD, "code": world.code(&new_secret) });
    world.post_as(&login, &disable, new).await.expect(204);
    assert_eq!(
        world.get_as(&login, "/v1/me").await.expect(200)["second_factor"],
        false
    );
    assert_eq!(world.messages::<UserCredentialsChanged>().await.len(), 2);
    world.login(&anna).await;
}

#[tokio::test]
async fn a010_a_code_of_another_type_is_refused_by_type() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    world.enrol(&login).await;
    for code in [
        json!(null),
        json!([]),
        json!(["123456"]),
        json!(true),
        json!(123_456),
        json!({}),
    ] {
        let body = json!({ "password": PASSWORD, "code": code });
        let refused = world
            .post_as(&login, &format!("{TOTP}/disable"), body)
            .await
            .refused(422, "web.body.field");
        assert_eq!(refused["errors"][0]["field"], "code");
    }
    world
        .post_as(
            &login,
            &format!("{TOTP}/disable"),
            json!({ "password": PASSWORD }),
        )
        .await
        .refused(422, "web.body.field");
    let empty = json!({ "password": PASSWORD, "code": "" });
    world
        .post_as(&login, &format!("{TOTP}/disable"), empty)
        .await
        .refused(422, "core.second_factor.wrong");
}
