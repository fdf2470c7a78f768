//! Whether an address is known must not show in the time of an answer (A03). Time itself is no test; the work is: on both
//! paths the same SQL statements in the same order, and as many password hashes, which cost the same each.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Metadata, Subscriber};

use crate::world::World;

const HASH: &str = "a password hash was computed";

/// Notes statements and hashes of this thread, on which the whole test runs.
#[derive(Clone, Default)]
struct Work(Arc<Mutex<Vec<String>>>);

impl Work {
    fn watch(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no holder panics"))
    }
}

impl Subscriber for Work {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Other tests of this process have no subscriber, so each call must ask anew.
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span()
            && (metadata.target() == "sqlx::query" || metadata.target().starts_with("ferrex_core"))
    }
    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let done = if event.metadata().target() == "sqlx::query" {
            // What the pool says to a connection before it lends it again depends on which connection it is.
            text.statement
                .or(text.summary)
                .filter(|statement| statement != "\"ROLLBACK\"")
        } else {
            text.message.filter(|message| message == HASH)
        };
        self.0.lock().expect("no holder panics").extend(done);
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    statement: Option<String>,
    summary: Option<String>,
    message: Option<String>,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = Some(format!("{value:?}"));
        match field.name() {
            "db.statement" => self.statement = text.filter(|text| text != "\"\""),
            "summary" => self.summary = text,
            "message" => self.message = text,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a003_known_and_unknown_addresses_cause_the_same_work() {
    let world = World::new().await;
    let anna = world.person("anna").await;
    let work = Work::default();
    let _watching = work.watch();
    let password = "a wrong but plausible one 5";
    let body = |path: &str, email: &str, name: &str| match path {
        "/v1/sessions" => json!({ "email": email, "password": password }),
        "/v1/registrations" => json!({ "email": email, "user_name": name, "password": password }),
        _ => json!({ "email": email }),
    };
    for (path, status, hashes) in [
        ("/v1/sessions", 401, 1),
        ("/v1/registrations", 202, 1),
        ("/v1/password-resets", 202, 0),
    ] {
        let mut seen = Vec::new();
        for (email, name) in [(anna.email.as_str(), "known"), ("nobody@example.org", "unknown")] {
            // A call that another test was making for the first time as this began to watch may have been noted as one that
            // nobody watches.
            tracing::callsite::rebuild_interest_cache();
            world.post(path, body(path, email, name)).await.expect(status);
            seen.push(work.take());
        }
        let (known, unknown) = (&seen[0], &seen[1]);
        assert_eq!(known, unknown, "{path}");
        let statements = known.iter().filter(|done| *done != HASH).count();
        assert!(statements >= 3, "{path}: only {known:?} was seen");
        assert_eq!(known.len() - statements, hashes, "{path}: {known:?}");
    }
}
