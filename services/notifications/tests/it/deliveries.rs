use ferrex_contracts::cron::CronTick;
use ferrex_contracts::payment::DepositCredited;
use ferrex_testkit::eventually;
use ferrex_testkit::mail::Behaviour;
use ferrex_time::{Clock, SystemClock};

use crate::world::*;

#[tokio::test]
async fn h088_a_committed_event_becomes_one_mail_however_often_it_is_delivered() {
    let world = World::new().await;
    let service = world.run().await;
    let alice = world.person("alice").await;
    let event = DepositCredited {
        deposit: new_id(),
        user: alice,
        value: ether(1_500_000_000_000_000_000),
    };
    let id = world.say(&event).await;
    world.say_as(id, &event).await;
    let mail = world.mails.wait_for("alice@example.org", "1.5 ETH").await;
    assert_eq!(mail.subject, "Deposit of 1.5 ETH credited");
    assert!(mail.text.as_deref().unwrap().contains("Hello alice,"));
    assert!(mail.html.as_deref().unwrap().contains("<strong>1.5 ETH</strong>"));
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    let delivery = id.cast();
    let entry = world.reaches(delivery, "sent").await;
    assert_eq!((entry.attempts, entry.params), (1, None));
    assert_eq!(
        mail.header("Message-ID"),
        Some(format!("<{delivery}@example.org>"))
    );
    // A later mail shows that the second copy of the event has passed without effect.
    let other = world
        .say(&DepositCredited {
            value: ether(7),
            ..event
        })
        .await;
    world.reaches(other.cast(), "sent").await;
    assert_eq!(world.mails.messages_to("alice@example.org").len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_code_is_mailed_once_and_stays_nowhere() {
    let world = World::new().await;
    let service = world.run().await;
    let delivery = new_id();
    world.say(&code_mail(delivery, "new@example.org")).await;
    world.say(&code_mail(delivery, "new@example.org")).await;
    let mail = world.mails.wait_for("new@example.org", "481516").await;
    assert_eq!(
        mail.link(),
        Some("https://wallet.example.org/confirm#token=4815162342")
    );
    let entry = world.reaches(delivery, "sent").await;
    assert_eq!(entry.params, None);
    for table in ["delivery", "flow", "flow_history", "flow_effect", "inbox"] {
        let sql = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%481516%'");
        let kept: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        assert_eq!(kept, 0, "{table} keeps the code");
    }
    let last = new_id();
    world.say(&code_mail(last, "last@example.org")).await;
    world.reaches(last, "sent").await;
    assert_eq!(world.mails.messages_to("new@example.org").len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn f105_a_mail_waits_for_a_person_who_is_not_known_yet() {
    let world = World::new().await;
    let service = world.run().await;
    let bob = new_id();
    let id = world
        .say(&DepositCredited {
            deposit: new_id(),
            user: bob,
            value: ether(1),
        })
        .await
        .cast();
    let entry = world.reaches(id, "waiting").await;
    assert_eq!(
        entry.reason.as_deref(),
        Some("the person's address is not known yet")
    );
    assert!(entry.planned);
    world.introduce(bob, "bob").await;
    world
        .mails
        .wait_for("bob@example.org", "0.000000000000000001 ETH")
        .await;
    world.reaches(id, "sent").await;
    service.stop().await;
}

#[tokio::test]
async fn smtp_away_and_back_delivers_without_a_hand() {
    let world = World::new().await;
    let service = world.run().await;
    eventually(WAIT, || async { service.readiness.is_ready() }).await;
    world.mails.stop();
    let ids = [new_id(), new_id(), new_id()];
    for id in ids {
        world.say(&code_mail(id, "patient@example.org")).await;
    }
    for id in ids {
        let entry = eventually(WAIT, || async {
            world
                .log(Some(id))
                .await
                .filter(|entry| entry.attempts >= 2 && entry.reason.is_some())
        })
        .await;
        assert!(entry.reason.unwrap().starts_with("mail server: "));
    }
    eventually(WAIT, || async {
        service
            .readiness
            .missing()
            .iter()
            .any(|missing| missing.part == "smtp")
    })
    .await;
    world.mails.start_again().await;
    for id in ids {
        world.reaches(id, "sent").await;
    }
    assert_eq!(world.mails.messages_to("patient@example.org").len(), 3);
    eventually(WAIT, || async { service.readiness.is_ready() }).await;
    service.stop().await;
}

#[tokio::test]
async fn a_tick_sends_what_waited_for_the_server_before_its_time() {
    let world = World::new().await;
    let slow = ferrex_notifications::Config {
        retry_first_ms: 3_600_000,
        retry_cap_seconds: 7_200,
        ..config(world.mails.port())
    };
    let service = Running::start(&world.test.url, slow).await;
    world.mails.stop();
    let id = new_id();
    world.say(&code_mail(id, "tick@example.org")).await;
    world.reaches(id, "waiting").await;
    let tick = CronTick {
        job: "delivery_retry".to_owned(),
        scheduled_for: SystemClock.now(),
    };
    world.say(&tick).await;
    world.mails.start_again().await;
    // The first tick may have met a server that was still away; cron ticks again.
    eventually(WAIT, || async {
        world.say(&tick).await;
        world
            .log(Some(id))
            .await
            .is_some_and(|entry| entry.state == "sent")
    })
    .await;
    assert_eq!(world.mails.messages_to("tick@example.org").len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_and_one_for_good_ends_it() {
    let world = World::new().await;
    let service = world.run().await;
    world.mails.behave(Behaviour::RefuseForNow);
    let greylisted = new_id();
    world.say(&code_mail(greylisted, "grey@example.org")).await;
    let entry = world.reaches(greylisted, "waiting").await;
    assert!(entry.reason.unwrap().contains("451"));
    world.mails.behave(Behaviour::Accept);
    world.reaches(greylisted, "sent").await;

    world.mails.behave(Behaviour::RefuseForGood);
    let refused = new_id();
    world.say(&code_mail(refused, "gone@example.org")).await;
    let entry = world.reaches(refused, "failed").await;
    assert!(entry.reason.unwrap().contains("550"));
    assert_eq!((entry.attempts, entry.params), (1, None));
    service.stop().await;
}

#[tokio::test]
async fn attempts_are_capped_and_the_end_is_visible() {
    let world = World::new().await;
    let few = ferrex_notifications::Config {
        attempts_max: 3,
        ..config(world.mails.port())
    };
    let service = Running::start(&world.test.url, few).await;
    world.mails.stop();
    let id = new_id();
    world.say(&code_mail(id, "never@example.org")).await;
    let entry = world.reaches(id, "failed").await;
    assert!(
        entry
            .reason
            .as_deref()
            .unwrap()
            .starts_with("given up after 3 attempts: mail server"),
        "{entry:?}"
    );
    assert_eq!((entry.attempts, entry.params), (3, None));
    service.stop().await;
}

#[tokio::test]
async fn h084_a_lost_answer_sends_again_under_the_same_message_id() {
    let world = World::new().await;
    let service = world.run().await;
    world.mails.behave(Behaviour::LoseReply);
    let id = new_id();
    world.say(&code_mail(id, "twice@example.org")).await;
    eventually(WAIT, || async {
        world.mails.messages_to("twice@example.org").len() == 1
    })
    .await;
    world.mails.behave(Behaviour::Accept);
    world.reaches(id, "sent").await;
    let mails = world.mails.messages_to("twice@example.org");
    assert!(mails.len() >= 2, "at least once, since a code must arrive");
    let message_id = format!("<{id}@example.org>");
    assert!(
        mails
            .iter()
            .all(|mail| mail.header("Message-ID").as_deref() == Some(&message_id))
    );
    service.stop().await;
}

#[tokio::test]
async fn what_no_template_can_show_is_parked_with_the_reason_and_holds_up_nobody() {
    let world = World::new().await;
    let service = world.run().await;
    let mut unknown = code_mail(new_id(), "x@example.org");
    unknown.template = "no_such".to_owned();
    world.say(&unknown).await;
    let mut incomplete = code_mail(new_id(), "x@example.org");
    incomplete.params.remove("code");
    world.say(&incomplete).await;
    let fine = new_id();
    world.say(&code_mail(fine, "fine@example.org")).await;
    world.reaches(fine, "sent").await;
    let reasons: Vec<String> = eventually(WAIT, || async {
        let reasons = sqlx::query_scalar("SELECT reason FROM parked ORDER BY id")
            .fetch_all(world.db.pool())
            .await
            .unwrap();
        (reasons.len() == 2).then_some(reasons)
    })
    .await;
    let all = reasons.join("\n");
    assert!(
        all.contains("there is no template \"no_such\"")
            && all.contains("template \"confirm_email\": undefined"),
        "{all}"
    );
    assert!(!all.contains("4815162342"), "a reason shows no value");
    assert!(world.mails.messages_to("x@example.org").is_empty());
    service.stop().await;
}

#[tokio::test]
async fn f099_a_server_that_takes_the_connection_and_never_answers_is_left_in_time() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = Running::start(&world.test.url, config(silent.local_addr().unwrap().port())).await;
    let id = new_id();
    world.say(&code_mail(id, "new@example.org")).await;
    let entry = world.reaches(id, "waiting").await;
    assert!(
        entry.reason.as_deref().unwrap().contains("no answer within 2 s"),
        "{entry:?}"
    );
    service.stop().await;
    // Another process finds a server that works.
    let service = world.run().await;
    world.reaches(id, "sent").await;
    assert_eq!(world.mails.messages_to("new@example.org").len(), 1);
    service.stop().await;
}
