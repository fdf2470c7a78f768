//! The command line, as an operator meets it. That this target exists also has cargo build `ferrex` for the tests of the whole system.

use std::process::Command;

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
