//! Real processes, aborted at every kill point of a delivery, and started again.

use std::process::{ExitStatus, Stdio};

use ferrex_ids::DeliveryId;
use ferrex_testkit::eventually;
use tokio::process::Command;

use crate::world::*;

const URL: &str = "FERREX_MAIL_TEST_URL";
const SMTP: &str = "FERREX_MAIL_TEST_SMTP";
const DELIVERY: &str = "FERREX_MAIL_TEST_DELIVERY";

/// Not a test of its own: the process that the test below starts and kills. Without the environment it has nothing to do.
#[tokio::test]
async fn child() {
    let (Ok(url), Ok(smtp), Ok(delivery)) =
        (std::env::var(URL), std::env::var(SMTP), std::env::var(DELIVERY))
    else {
        return;
    };
    let id: DeliveryId = delivery.parse().unwrap();
    // Long enough that a slow machine loses no lease: then a copy more can only come from the kill.
    let patient = ferrex_notifications::Config {
        lease_seconds: 3,
        ..config(smtp.parse().unwrap())
    };
    let service = Running::start(&url, patient).await;
    let db = connect_db(&url).await;
    eventually(WAIT, || async {
        let sent: Option<String> = sqlx::query_scalar("SELECT state FROM delivery WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(db.pool())
            .await
            .unwrap();
        sent.as_deref() == Some("sent")
    })
    .await;
    service.stop().await;
}

async fn run_child(world: &World, id: DeliveryId, kill: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child"]);
    command
        .env(URL, &world.test.url)
        .env(SMTP, world.mails.port().to_string())
        .env(DELIVERY, id.to_string());
    if !kill.is_empty() {
        command.env("FERREX_KILL", kill);
    }
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    tokio::time::timeout(WAIT * 2, command.status())
        .await
        .expect("the child ends")
        .unwrap()
}

#[tokio::test]
async fn h084_f102_killed_at_any_point_a_mail_arrives_and_at_most_once_more_under_its_message_id() {
    use std::os::unix::process::ExitStatusExt as _;
    let world = World::new().await;
    // Name of the point, label of its state, and how many copies a kill there may bring.
    let points = [
        ("flow.before_persist", "queued", 1),
        ("flow.after_persist", "queued", 1),
        ("flow.before_effect", "queued", 1),
        ("flow.after_effect", "queued", 2),
        ("flow.before_outcome", "queued", 2),
        ("flow.before_persist", "sent", 2),
        ("flow.after_persist", "sent", 2),
        ("flow.after_outcome", "queued", 1),
    ];
    for (point, label, copies) in points {
        let (id, kill) = (new_id(), format!("{point}@mail.delivery.{label}:1"));
        let email = format!("{id}@example.org");
        world.say(&code_mail(id, &email)).await;
        let killed = run_child(&world, id, &kill).await;
        assert_eq!(
            killed.signal(),
            Some(6),
            "{kill}: the child was to abort, it ended with {killed}"
        );
        assert!(
            run_child(&world, id, "").await.success(),
            "{kill}: the second run failed"
        );
        let mails = world.mails.messages_to(&email);
        assert!(
            (1..=copies).contains(&mails.len()),
            "{kill}: {} copies",
            mails.len()
        );
        let message_id = format!("<{id}@example.org>");
        assert!(
            mails
                .iter()
                .all(|mail| mail.header("Message-ID").as_deref() == Some(&message_id)),
            "{kill}"
        );
        assert_eq!(world.reaches(id, "sent").await.params, None, "{kill}");
    }
}
