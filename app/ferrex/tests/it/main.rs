//! The command line, as an operator meets it. That this target exists also has cargo build `ferrex` for the tests of the whole system.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ferrex_testkit::Postgres;
use secrecy::SecretString;

/// What the program says when it ends with `code`.
fn refusal(arguments: &[&str], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ferrex"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(code));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn a_role_that_does_not_exist_is_refused_with_those_that_do() {
    let said = refusal(&["run", "--role", "engine,cook"], 2);
    assert!(said.contains("cook"), "{said}");
    for role in [
        "engine",
        "signer",
        "core",
        "payment",
        "notifications",
        "webhooks",
        "cron",
        "admin",
    ] {
        assert!(said.contains(role), "{role} is not named in: {said}");
    }
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    let said = refusal(&["check", "--config", "/nowhere/ferrex.toml"], 1);
    assert!(said.contains("/nowhere/ferrex.toml"), "{said}");
}

#[tokio::test]
async fn a_snapshot_that_a_restart_would_not_use_is_named_and_the_command_fails() {
    let db = Postgres::shared().await.fresh_database().await;
    let password = SecretString::from("test");
    ferrex_postgres::provision(&db.admin_url, &ferrex_engine::SCHEMA, &password)
        .await
        .expect("the schema is made");
    let passwords = tempfile::tempdir().expect("a directory is made");
    let file = passwords.path().join("ferrex_engine");
    std::fs::write(&file, "test").expect("the password is written");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("it is ours alone");
    let snapshots = || {
        let output = Command::new(env!("CARGO_BIN_EXE_ferrex"))
            .args(["ledger", "snapshots"])
            .env_clear()
            .env("FERREX__DATABASE__URL", &db.url)
            .env("FERREX__DATABASE__PASSWORDS", passwords.path())
            .output()
            .expect("the program runs");
        let said = String::from_utf8(output.stdout).expect("text");
        (output.status.code(), said, String::from_utf8(output.stderr))
    };
    let (code, said, log) = snapshots();
    let none = "0 snapshots; a restart replays the journal from row 1 on\n";
    assert_eq!((code, said.as_str()), (Some(0), none), "{log:?}");
    let mut superuser = Postgres::shared().await.superuser(&db).await;
    sqlx::query(
        "WITH made AS (INSERT INTO engine.snapshot (shard, journal_id, bytes) VALUES (0, 7, 3) RETURNING id)
         INSERT INTO engine.snapshot_part (snapshot, place, bytes) SELECT id, 0, '\\x010203' FROM made",
    )
    .execute(&mut superuser)
    .await
    .expect("a damaged snapshot is written");
    let (code, said, log) = snapshots();
    assert_eq!(code, Some(1), "{said}{log:?}");
    assert_eq!(
        said,
        "row 7: 3 bytes, not used: the journal ends at row 0\n1 snapshots; a restart replays the journal from row 1 on\n"
    );
}
