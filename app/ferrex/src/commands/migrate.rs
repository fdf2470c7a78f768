//! `ferrex migrate`: schemas, login roles, topics. Safe to run at each start and by several at once.

use std::process::ExitCode;

use anyhow::Context as _;
use ferrex_postgres::SchemaSpec;
use secrecy::ExposeSecret as _;

use crate::settings::{Settings, Transport};

/// Every schema there is.
pub const SCHEMAS: [&SchemaSpec; 9] = [
    &ferrex_bus::EMBEDDED,
    &ferrex_engine::SCHEMA,
    &ferrex_signer::SCHEMA,
    &ferrex_core::SCHEMA,
    &ferrex_payment::SCHEMA,
    &ferrex_notifications::SCHEMA,
    &ferrex_webhooks::SCHEMA,
    &ferrex_cron::SCHEMA,
    &ferrex_admin::SCHEMA,
];

/// Brings everything up to date.
pub async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let admin_url = settings
        .database
        .admin_url
        .as_ref()
        .context("database.admin_url is not set; it names the file with the owner's address")?
        .read()?;
    for spec in SCHEMAS {
        let unused = spec.schema == ferrex_bus::EMBEDDED.schema && settings.bus.transport == Transport::Kafka;
        if unused {
            continue;
        }
        let password = settings.database.password(spec.role)?;
        ferrex_postgres::provision(admin_url.expose_secret(), spec, &password)
            .await
            .with_context(|| format!("bringing schema {} up to date", spec.schema))?;
        println!("schema {} is up to date", spec.schema);
    }
    let bus = crate::wiring::bus(settings, "migrate").await?;
    bus.ensure_topics(crate::commands::topics::TOPICS).await?;
    println!("{} topics are there", crate::commands::topics::TOPICS.len());
    Ok(ExitCode::SUCCESS)
}
