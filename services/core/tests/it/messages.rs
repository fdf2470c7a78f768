use ferrex_bus::Outgoing;
use ferrex_contracts::StaffAction;
use ferrex_contracts::core::{
    GetUser, ListUsers, ResolveUser, SetUserFreeze, UserFreezeChanged, VerifySecondFactor,
};
use ferrex_contracts::cron::CronTick;
use ferrex_ids::{MessageId, StaffId, UserId};
use ferrex_testkit::eventually;
use ferrex_time::Clock as _;
use serde_json::json;

use crate::world::{SOON, World};

#[tokio::test]
async fn a_person_is_found_by_name_or_address() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    world.register("bert").await; // not confirmed
    world.run();
    let bus = world.bus("payment").await;
    for handle in ["anna", "@Anna", " anna@example.org ", "ANNA@example.org"] {
        let found = world
            .ask(
                &bus,
                &ResolveUser {
                    handle: handle.into(),
                },
            )
            .await
            .unwrap();
        assert_eq!(
            (found.user.to_string(), &*found.username, found.can_receive),
            (anna.id.clone(), "anna", true)
        );
    }
    for handle in [
        "bert",
        "bert@example.org",
        "",
        "@",
        "%",
        "anna'--",
        "x".repeat(10_000).as_str(),
    ] {
        let code = world
            .ask(
                &bus,
                &ResolveUser {
                    handle: handle.into(),
                },
            )
            .await
            .unwrap_err();
        assert_eq!(code, "core.user.not_found", "{handle}");
    }
}

#[tokio::test]
async fn staff_list_and_search_people_by_pages() {
    let world = World::new().await;
    for name in ["anna", "bert", "ann_2"] {
        world.person(name).await;
        world.pass(1);
    }
    world.run();
    let bus = world.bus("admin").await;
    let list = |search: Option<&str>, cursor: Option<String>, limit| ListUsers {
        search: search.map(Into::into),
        cursor,
        limit,
    };
    let first = world.ask(&bus, &list(None, None, 2)).await.unwrap();
    assert_eq!(
        first.items.iter().map(|user| &*user.username).collect::<Vec<_>>(),
        ["ann_2", "bert"]
    );
    let rest = world.ask(&bus, &list(None, first.next_cursor, 2)).await.unwrap();
    assert_eq!(
        (rest.items.len(), &*rest.items[0].username, rest.next_cursor),
        (1, "anna", None)
    );
    // The wildcards of SQL are letters like others.
    let found = world.ask(&bus, &list(Some("ANN_"), None, 10)).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(
        world.ask(&bus, &list(None, None, 0)).await.unwrap_err(),
        "core.input.invalid"
    );
    assert_eq!(
        world
            .ask(&bus, &list(None, Some("x".into()), 1))
            .await
            .unwrap_err(),
        "core.input.invalid"
    );
}

#[tokio::test]
async fn a_frozen_person_logs_in_and_looks_but_gets_no_proof_for_money() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    let (secret, _) = world.enrol(&login).await;
    world.pass(60);
    let user: UserId = anna.id.parse().unwrap();
    // Before the relay runs, so that the events can be read.
    let core = world.service.core();
    let by = StaffAction {
        staff: StaffId::new_at(7),
        reason: "court order 12".into(),
    };
    ferrex_core::users::set_freeze(core, user, true, &by)
        .await
        .unwrap();
    ferrex_core::users::set_freeze(core, user, true, &by)
        .await
        .unwrap();
    let events: Vec<UserFreezeChanged> = world.messages().await;
    assert_eq!(
        (
            events.len(),
            events[0].frozen,
            &*events[0].reason,
            events[0].version
        ),
        (1, true, "court order 12", 2)
    );

    world.run();
    let bus = world.bus("payment").await;
    let me = world.get_as(&login, "/v1/me").await.expect(200);
    assert_eq!(
        (&me["frozen"], &me["frozen_because"]),
        (&json!(true), &json!("court order 12"))
    );
    let verify = |code: String| VerifySecondFactor {
        user,
        code,
        action: "payment.withdrawal".into(),
        binding: "aa".into(),
    };
    assert_eq!(
        world.ask(&bus, &verify(world.code(&secret))).await.unwrap_err(),
        "core.user.frozen"
    );
    let lift = SetUserFreeze {
        user,
        frozen: false,
        by: StaffAction {
            reason: "lifted".into(),
            ..by
        },
    };
    assert!(!world.ask(&bus, &lift).await.unwrap().frozen);
    assert!(!world.ask(&bus, &GetUser { user }).await.unwrap().frozen);
    world.ask(&bus, &verify(world.code(&secret))).await.unwrap();
    let nobody = GetUser {
        user: UserId::new_at(1),
    };
    assert_eq!(world.ask(&bus, &nobody).await.unwrap_err(), "core.user.not_found");
}

#[tokio::test]
async fn a012_a_proof_is_bound_to_action_and_payload() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    world.run();
    let bus = world.bus("payment").await;
    let user: UserId = anna.id.parse().unwrap();
    let verify = |code: &str, action: &str, binding: &str| VerifySecondFactor {
        user,
        code: code.into(),
        action: action.into(),
        binding: binding.into(),
    };
    let none = world
        .ask(&bus, &verify("123456", "payment.withdrawal", "aa"))
        .await
        .unwrap_err();
    assert_eq!(none, "core.second_factor.not_enrolled");
    let (secret, codes) = world.enrol(&login).await;
    world.pass(60);
    let code = world.code(&secret);
    world
        .ask(&bus, &verify(&code, "payment.withdrawal", "aa"))
        .await
        .unwrap();
    // The same question again, because the answer was lost, also when the code has run out meanwhile.
    world
        .ask(&bus, &verify(&code, "payment.withdrawal", "aa"))
        .await
        .unwrap();
    world.pass(120);
    world
        .ask(&bus, &verify(&code, "payment.withdrawal", "aa"))
        .await
        .unwrap();
    world.pass(-120);
    for (action, binding) in [("payment.withdrawal", "bb"), ("payment.address", "aa")] {
        let refused = world
            .ask(&bus, &verify(&code, action, binding))
            .await
            .unwrap_err();
        assert_eq!(refused, "core.second_factor.used");
    }
    world.pass(600);
    world
        .ask(&bus, &verify(&codes[0], "payment.withdrawal", "cc"))
        .await
        .unwrap();
    world
        .ask(&bus, &verify(&codes[0], "payment.withdrawal", "cc"))
        .await
        .unwrap();
    let refused = world
        .ask(&bus, &verify(&codes[0], "payment.withdrawal", "dd"))
        .await
        .unwrap_err();
    assert_eq!(refused, "core.second_factor.used");
    let refused = world
        .ask(&bus, &verify("000000", "payment.withdrawal", "dd"))
        .await
        .unwrap_err();
    assert_eq!(refused, "core.second_factor.wrong");
    let refused = world.ask(&bus, &verify("000000", "", "dd")).await.unwrap_err();
    assert_eq!(refused, "core.input.invalid");
}

#[tokio::test]
async fn a012_one_code_for_two_payloads_at_once_serves_one() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let (secret, _) = world.enrol(&world.login(&anna).await).await;
    world.pass(60);
    let (user, code, core) = (
        anna.id.parse().unwrap(),
        world.code(&secret),
        world.service.core(),
    );
    let tries = ["aa", "bb", "cc", "dd"]
        .map(|binding| ferrex_core::factors::verify_for(core, user, &code, "payment.withdrawal", binding));
    let done = futures::future::join_all(tries)
        .await
        .iter()
        .filter(|result| result.is_ok())
        .count();
    assert_eq!(done, 1);
}

#[tokio::test]
async fn the_tick_of_the_cleanup_deletes_what_is_over_and_nothing_else() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let login = world.login(&anna).await;
    world.enrol(&login).await;
    world.register("bert").await;
    world
        .try_login("nobody@example.org", "wrong", "203.0.113.5")
        .await
        .expect(401);
    world.pass(120 * 24 * 3600);
    let anna_now = world.person("carl").await;
    let fresh = world.login(&anna_now).await;
    // More than go with one statement.
    sqlx::query(
        "INSERT INTO attempts (scope, subject, taken, window_ends)
         SELECT 'login', decode(lpad(to_hex(n), 8, '0'), 'hex'), 1, '2020-01-01' FROM generate_series(1, 25000) AS n",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    world.run();
    let bus = world.bus("cron").await;
    let tick = |job: &str| {
        let message = CronTick {
            job: job.into(),
            scheduled_for: world.clock.now(),
        };
        Outgoing::event(
            "cron",
            MessageId::new_at(world.clock.unix_ms()),
            job,
            world.clock.now(),
            &message,
        )
    };
    bus.publish(vec![tick("somebody_elses_job"), tick("session_cleanup")])
        .await
        .unwrap();
    let count = |table: &'static str| {
        let db = world.db.clone();
        async move {
            sqlx::query_scalar::<_, i64>(table)
                .fetch_one(db.pool())
                .await
                .unwrap()
        }
    };
    // The last that is deleted from; that of the log-in just now stays.
    eventually(SOON, || async {
        count("SELECT count(*) FROM login_guards").await == 1
    })
    .await;
    assert_eq!(count("SELECT count(*) FROM challenges").await, 1);
    let old = "SELECT count(*) FROM attempts WHERE window_ends < '2021-01-01'";
    assert_eq!(count(old).await, 0);
    assert_eq!(count("SELECT count(*) FROM sessions").await, 1);
    assert_eq!(count("SELECT count(*) FROM factor_uses").await, 0);
    assert_eq!(count("SELECT count(*) FROM user_name_claims").await, 2);
    assert_eq!(count("SELECT count(*) FROM users").await, 2);
    world.get_as(&fresh, "/v1/me").await.expect(200);
}
