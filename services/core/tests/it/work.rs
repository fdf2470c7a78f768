//! Notes what a thread does that costs time: SQL statements and password hashes. Every test runs on one thread.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

pub(crate) const HASH: &str = "a password hash was computed";

thread_local! {
    /// What was done so far, if someone watches.
    static DONE: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Prepares for [`of`]. Every world does this before its first statement: tracing remembers a call that was first made
/// while nobody could watch as one that nobody ever does.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        tracing::subscriber::set_global_default(Notes).expect("this process has no other subscriber");
    });
}

/// Awaits something and answers what this thread did meanwhile.
pub(crate) async fn of<T>(doing: impl Future<Output = T>) -> (T, Vec<String>) {
    DONE.set(Some(Vec::new()));
    let value = doing.await;
    (value, DONE.take().unwrap_or_default())
}

struct Notes;

impl Subscriber for Notes {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span()
            && (metadata.target() == "sqlx::query" || metadata.target().starts_with("ferrex_core"))
            && DONE.with_borrow(Option::is_some)
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
        DONE.with_borrow_mut(|notes| notes.as_mut().map(|notes| notes.extend(done)));
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
