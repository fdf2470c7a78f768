//! `ferrex openapi`: the document of a listener, from the handlers, without starting anything.

use std::process::ExitCode;

use ferrex_web::document;

use crate::cli::Listener;
use crate::commands::run::{ADMIN, PUBLIC};

/// Prints it.
pub fn run(listener: Listener) -> anyhow::Result<ExitCode> {
    println!("{}", serde_json::to_string_pretty(&of(listener))?);
    Ok(ExitCode::SUCCESS)
}

fn of(listener: Listener) -> utoipa::openapi::OpenApi {
    match listener {
        Listener::Public => document(
            &PUBLIC,
            &[
                ferrex_core::specification(),
                ferrex_payment::specification(),
                ferrex_webhooks::specification(),
            ],
        ),
        Listener::Admin => document(&ADMIN, &[ferrex_admin::specification()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the checked-in document; `UPDATE_SNAPSHOTS=1` rewrites it.
    fn matches_snapshot(listener: Listener, name: &str) {
        let path = format!("{}/../../docs/openapi/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = serde_json::to_string_pretty(&of(listener)).unwrap() + "\n";
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == text,
            "{path} is not what the handlers say; look at the change and run `UPDATE_SNAPSHOTS=1 make snapshots`"
        );
    }

    #[test]
    fn openapi_of_the_public_listener_is_the_one_checked_in() {
        matches_snapshot(Listener::Public, "public");
    }

    #[test]
    fn openapi_of_the_admin_listener_is_the_one_checked_in() {
        matches_snapshot(Listener::Admin, "admin");
    }
}
