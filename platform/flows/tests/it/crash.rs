//! Real processes, aborted at every kill point of every state, and started again.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ferrex_flows::{Options, Runner};
use ferrex_ids::FlowId;
use ferrex_time::SystemClock;
use tokio::process::Command;

use crate::errand::*;

/// Where the child finds its database, and its flow.
const URL: &str = "FERREX_FLOWS_TEST_URL";
const FLOW: &str = "FERREX_FLOWS_TEST_FLOW";

fn short_leases(db: &ferrex_postgres::Db) -> Runner<Errand> {
    let options = Options {
        lease: Duration::from_secs(1),
        ..options()
    };
    Runner::new(Errand::default(), db.clone(), SystemClock::shared(), options)
}

/// Not a test of its own: the process that the test below starts and kills. Without the environment it has nothing to do.
#[tokio::test]
async fn child() {
    let (Ok(url), Ok(flow)) = (std::env::var(URL), std::env::var(FLOW)) else {
        return;
    };
    let id: FlowId = flow.parse().unwrap();
    let db = connect(&url).await;
    let runner = short_leases(&db);
    if runner.get(id).await.unwrap().is_none() {
        let input = Input::Order {
            item: "bread".to_owned(),
        };
        runner
            .start_now(id, State::New, input, &ferrex_flows::Actor::SYSTEM)
            .await
            .unwrap();
    }
    let worker = Worker::start(&runner, &Shop::open(&db));
    reaches(&runner, id, "delivered").await;
    worker.stop().await;
}

async fn run_child(url: &str, id: FlowId, kill: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crash::child"])
        .env(URL, url)
        .env(FLOW, id.to_string());
    if !kill.is_empty() {
        command.env("FERREX_KILL", kill);
    }
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    tokio::time::timeout(WAIT, command.status())
        .await
        .expect("the child ends")
        .unwrap()
}

#[tokio::test]
async fn killed_at_any_point_each_effect_keeps_its_id_and_its_outcome_counts_once() {
    use std::os::unix::process::ExitStatusExt as _;
    let (test, db) = database().await;
    let runner = short_leases(&db);
    let entered = ["requested", "bought", "delivered"];
    let asked = ["requested", "bought"];
    let points = entered
        .iter()
        .flat_map(|label| ["flow.before_persist", "flow.after_persist"].map(|point| (point, label)))
        .chain(asked.iter().flat_map(|label| {
            [
                "flow.before_effect",
                "flow.after_effect",
                "flow.before_outcome",
                "flow.after_outcome",
            ]
            .map(|point| (point, label))
        }));
    for (point, label) in points {
        let (id, kill) = (new_id(), format!("{point}@errand.{label}:1"));
        let killed = run_child(&test.url, id, &kill).await;
        assert_eq!(
            killed.signal(),
            Some(6),
            "{kill}: the child was to abort, it ended with {killed}"
        );
        let calm = run_child(&test.url, id, "").await;
        assert!(calm.success(), "{kill}: the second run failed");

        let history = runner.history(id).await.unwrap();
        let story: Vec<_> = history.iter().map(|entry| entry.label.as_str()).collect();
        assert_eq!(story, ["new", "requested", "bought", "delivered"], "{kill}");
        let seen = world(&db, id).await;
        assert_eq!(
            seen.len(),
            2,
            "{kill}: one id an effect, however often it came: {seen:?}"
        );
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM flow_effect WHERE flow_id = $1 AND status <> 'done'")
                .bind(id.uuid())
                .fetch_one(db.pool())
                .await
                .unwrap();
        assert_eq!(left, 0, "{kill}");
    }
}
