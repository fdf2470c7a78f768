//! A signer in a process of its own, killed at its kill points.

use std::process::{Command, Stdio};

use ferrex_chains::evm::to_hex;
use ferrex_ids::IntentId;

use crate::world::{clock, config, count, database, intent, keys, payment, signer_with};

const DATABASE: &str = "FERREX_TEST_SIGNER_DATABASE";
const INTENT: &str = "FERREX_TEST_SIGNER_INTENT";

/// The child's part: signs one payment and prints its bytes. Does nothing in an ordinary test run.
#[tokio::test]
async fn child_signs_when_told() {
    let (Ok(url), Ok(id)) = (std::env::var(DATABASE), std::env::var(INTENT)) else {
        return;
    };
    let id: IntentId = id.parse().unwrap();
    let db = crate::world::connect(&url).await;
    let signer = ferrex_signer::Signer::try_new(&config(), keys(), db, clock()).unwrap();
    signer.claim().await.unwrap();
    let signed = signer.sign_withdrawal(&payment(id)).await.unwrap();
    println!("raw={}", signed.raw);
}

fn child(url: &str, id: IntentId, kill: Option<&str>) -> (bool, Option<String>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child::child_signs_when_told", "--nocapture"])
        .env(DATABASE, url)
        .env(INTENT, id.to_string());
    command.stderr(Stdio::null()).env_remove("FERREX_KILL");
    if let Some(point) = kill {
        command.env("FERREX_KILL", format!("{point}:1"));
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let raw = text
        .lines()
        .find_map(|line| line.split_once("raw=").map(|(_, raw)| raw.to_owned()));
    (output.status.success(), raw)
}

#[tokio::test]
async fn f028_killed_between_signing_and_storing_the_same_nonce_is_used_and_nothing_is_paid_twice() {
    for (point, stored) in [
        ("signer.after_sign", 0),
        ("signer.before_commit", 0),
        ("signer.after_commit", 1),
    ] {
        let db = database().await;
        let id = intent();
        let (url, killed) = (db.url.clone(), point.to_owned());
        let (survived, raw) = tokio::task::spawn_blocking(move || child(&url, id, Some(&killed)))
            .await
            .unwrap();
        assert!(!survived && raw.is_none(), "{point} did not kill");
        assert_eq!(
            count(&db, "SELECT count(*) FROM signer.signature").await,
            stored,
            "{point}"
        );
        let url = db.url.clone();
        let (survived, raw) = tokio::task::spawn_blocking(move || child(&url, id, None))
            .await
            .unwrap();
        assert!(survived, "{point}: the next process could not sign");
        let raw = raw.unwrap();
        // A third process, ours, is given what the second stored.
        let signer = signer_with(&db, &config(), clock()).await;
        let again = signer.sign_withdrawal(&payment(id)).await.unwrap();
        assert_eq!((again.raw, again.nonce), (raw.clone(), 0), "{point}");
        assert_eq!(count(&db, "SELECT count(*) FROM signer.signature").await, 1);
        assert_eq!(count(&db, "SELECT next_nonce FROM signer.wallet").await, 1);
        let kept: Vec<u8> = {
            let mut connection = ferrex_testkit::Postgres::shared().await.superuser(&db).await;
            sqlx::query_scalar("SELECT raw FROM signer.signature")
                .fetch_one(&mut connection)
                .await
                .unwrap()
        };
        assert_eq!(to_hex(&kept), raw);
    }
}
