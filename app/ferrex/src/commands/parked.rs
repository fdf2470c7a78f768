//! `ferrex parked list|redrive`: messages that a service could not handle. An id reads `<role>:<number>`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum as _;
use ferrex_bus::parked;

use super::connect;
use crate::role::Role;
use crate::settings::Settings;

/// Messages read at once.
const PAGE: i64 = 100;

/// Prints all, oldest first within each role.
pub async fn list(settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut count = 0u32;
    for role in Role::ALL.into_iter().filter(|role| handles_messages(*role)) {
        let db = connect(settings, role).await?;
        let mut after = 0;
        loop {
            let page = parked::list(&db, after, PAGE)
                .await
                .with_context(|| format!("reading role {role}"))?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for message in page {
                count += 1;
                let waits = if message.behind {
                    " (waits behind an earlier one)"
                } else {
                    ""
                };
                println!(
                    "{role}:{} {} key {} from {}[{}]@{} since {}: {} {}{waits}",
                    message.id,
                    message.message_type,
                    message.key,
                    message.topic,
                    message.partition,
                    message.offset,
                    message.parked_at.to_rfc3339(),
                    message.code,
                    message.reason,
                );
            }
        }
    }
    println!("{count} parked");
    Ok(ExitCode::SUCCESS)
}

/// Hands one back, with what waits behind it.
pub async fn redrive(settings: &Settings, id: &str) -> anyhow::Result<ExitCode> {
    const FORM: &str = "an id reads <role>:<number>, as `ferrex parked list` shows it";
    let (role, number) = id.split_once(':').context(FORM)?;
    let role = Role::from_str(role, false).map_err(|_| anyhow::anyhow!(FORM))?;
    anyhow::ensure!(handles_messages(role), "role {role} handles no messages");
    parked::redrive(&connect(settings, role).await?, number.parse().context(FORM)?).await?;
    println!("{id} goes back to its consumer");
    Ok(ExitCode::SUCCESS)
}

/// The engine and cron only publish.
const fn handles_messages(role: Role) -> bool {
    !matches!(role, Role::Engine | Role::Cron)
}
