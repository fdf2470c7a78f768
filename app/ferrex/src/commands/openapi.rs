//! `ferrex openapi`: the document of a listener, from the handlers, without starting anything.

use std::process::ExitCode;

use ferrex_web::document;

use crate::cli::Listener;
use crate::commands::run::{ADMIN, PUBLIC};

/// Prints it.
pub fn run(listener: Listener) -> anyhow::Result<ExitCode> {
    let document = match listener {
        Listener::Public => document(
            &PUBLIC,
            &[
                ferrex_core::specification(),
                ferrex_payment::specification(),
                ferrex_webhooks::specification(),
            ],
        ),
        Listener::Admin => document(&ADMIN, &[ferrex_admin::specification()]),
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}
