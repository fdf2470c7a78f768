//! Both listeners are called with what their OpenAPI documents allow and with what they forbid: no 5xx, and no answer
//! that is not in the document. What is checked, and what is not and why, stands in scripts/schemathesis/schemathesis.toml.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ferrex_dev::plan::{Carrier, Shape};
use ferrex_e2e::Story;
use ferrex_e2e::client::Api;
use ferrex_e2e::town::{Town, transfer};

/// How long one run over one document may take; each takes well under a minute on two cores.
const WITHIN: Duration = Duration::from_mins(5);

/// Rates and quotas that no run reaches, so that no 429 hides an answer; and hashes that cost little.
const WIDE: [(&str, &str); 18] = [
    ("FERREX__WEB__PER_ADDRESS__PER_SECOND", "1000000"),
    ("FERREX__WEB__PER_ADDRESS__BURST", "1000000"),
    ("FERREX__WEB__PER_USER__PER_SECOND", "1000000"),
    ("FERREX__WEB__PER_USER__BURST", "1000000"),
    ("FERREX__CORE__LIMITS__MAILS_PER_ADDRESS__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__REGISTRATIONS_PER_NETWORK__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__RESETS_PER_NETWORK__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__ANSWERS_PER_NETWORK__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__LOGINS_PER_NETWORK__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__FACTORS_PER_USER__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__FACTORS_PER_USER_LONG__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__REAUTHENTICATIONS_PER_USER__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__VERIFICATIONS_PER_USER__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__STRANGERS_PER_ACCOUNT__MAX", "1000000"),
    ("FERREX__CORE__LIMITS__FREE_LOGINS", "1000000"),
    ("FERREX__CORE__HASHING__MEMORY_KIB", "64"),
    ("FERREX__ADMIN__LOGINS_PER_NAME__MAX", "1000000"),
    ("FERREX__ADMIN__LOGINS_PER_NETWORK__MAX", "1000000"),
];

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_5xx_and_no_answer_outside_the_documents() -> anyhow::Result<()> {
    let mut story = Story::begin(Shape::One, Carrier::Embedded).await?;
    let around = story.system.surroundings();
    let (public, admin) = (around.public.clone(), around.admin.clone());
    let rpc = around.chain_rpc.clone();
    let town = Town::found(around, story.system.mails.clone(), &rpc).await?;
    let mut anna = town.settle("anna", 1_000).await?;
    let ben = town.welcome("ben").await?;
    transfer(&anna.api(), ben.name(), "lunch", 10).await?;
    story.system.stop_process("all").await?;
    story.system.start_process("all", &WIDE).await?;
    story.system.wait_ready("all").await?;

    // Strangers are mostly refused, so few calls say as much as many.
    let few = ["--max-examples", "5"];
    run(&public, &[], &few).await.context("as a stranger")?;
    run(&admin, &[], &few)
        .await
        .context("as a stranger, at the listener for staff")?;

    // What ends the session comes last, or all that follows would be refused.
    let ends = ["log_out", "revoke_session"];
    let (mut but, mut only) = (Vec::new(), Vec::new());
    for operation in ends {
        but.extend(["--exclude-operation-id", operation]);
        only.extend(["--include-operation-id", operation]);
    }
    anna.renew().await?;
    let person = anna.api();
    let tokens = [
        ("FERREX_ACCESS_TOKEN", token(&person)?),
        ("FERREX_SESSION_TOKEN", anna.session_token()),
    ];
    run(&public, &tokens, &but).await.context("as a person")?;
    person
        .get("/v1/me")
        .await
        .context("the person was logged in to the end")?;
    run(&public, &tokens, &only)
        .await
        .context("as a person who logs out")?;

    let staff = town.staff();
    let tokens = [("FERREX_ACCESS_TOKEN", token(&staff)?)];
    run(&admin, &tokens, &but).await.context("as staff")?;
    staff
        .get("/v1/me")
        .await
        .context("staff was logged in to the end")?;
    run(&admin, &tokens, &only)
        .await
        .context("as staff who log out")?;
    story.end().await
}

fn token(api: &Api) -> anyhow::Result<&str> {
    api.token.as_deref().context("whoever logged in has a token")
}

/// Runs it over the document of a listener and prints what it says.
async fn run(base: &str, tokens: &[(&str, &str)], arguments: &[&str]) -> anyhow::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/schemathesis.sh");
    let mut command = tokio::process::Command::new(script);
    command
        .arg(base)
        .args(arguments)
        .envs(tokens.iter().copied())
        .kill_on_drop(true);
    let output = tokio::time::timeout(WITHIN, command.output())
        .await
        .with_context(|| format!("it still runs after {WITHIN:?}"))??;
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    ensure!(
        output.status.success(),
        "schemathesis found something:\n{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
