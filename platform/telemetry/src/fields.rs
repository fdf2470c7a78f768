//! A span's fields as JSON. Every call and every message opens a span, few of which are ever printed: so they are written as they
//! come, where the library first collects them in a map.

use std::fmt;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Writes fields as one JSON object. Of a field that is recorded again the object has both, and who reads it takes the last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JsonObject;

impl<'writer> FormatFields<'writer> for JsonObject {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        writer.write_str(&object(b"{".to_vec(), fields)?)
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut before = std::mem::take(&mut current.fields).into_bytes();
        if before.pop().is_none() {
            before.push(b'{');
        }
        current.fields = object(before, fields)?;
        Ok(())
    }
}

/// The object that begins with these bytes, with these fields and its end.
fn object(begin: Vec<u8>, fields: impl RecordFields) -> Result<String, fmt::Error> {
    let mut members = Members(begin);
    fields.record(&mut members);
    members.0.push(b'}');
    String::from_utf8(members.0).map_err(|_| fmt::Error)
}

struct Members(Vec<u8>);

impl Members {
    fn add(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        let name = field.name();
        // What comes from the crate `log` has been told otherwise.
        if name.starts_with("log.") {
            return;
        }
        let end = self.0.len();
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        let name = name.strip_prefix("r#").unwrap_or(name);
        let written = serde_json::to_writer(&mut self.0, name).and_then(|()| {
            self.0.push(b':');
            serde_json::to_writer(&mut self.0, value)
        });
        if written.is_err() {
            self.0.truncate(end);
        }
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    /// The span as the line of an event within it shows it.
    fn shown(span: impl FnOnce() -> tracing::Span) -> Value {
        let line = crate::tests::printed("info", || span().in_scope(|| tracing::info!("within")));
        let mut line: Value = serde_json::from_str(&line).expect("a line is JSON");
        line["span"].take()
    }

    #[test]
    fn fields_of_every_type_are_members_of_an_object() {
        let span = || {
            let text = "a \"quoted\"\nline\u{1}";
            let shown = std::net::Ipv4Addr::LOCALHOST;
            tracing::info_span!("work", text, %shown, debugged = ?Some(1), below = -1, above = u64::MAX, is = true, half = 0.5,
                r#type = "kept", odd = f64::NAN, later = tracing::field::Empty)
        };
        assert_eq!(
            shown(span),
            json!({ "name": "work", "text": "a \"quoted\"\nline\u{1}", "shown": "127.0.0.1", "debugged": "Some(1)", "below": -1,
                    "above": u64::MAX, "is": true, "half": 0.5, "type": "kept", "odd": null })
        );
    }

    #[test]
    fn a_field_that_is_recorded_later_is_added_and_the_last_value_counts() {
        let empty = || {
            let span = tracing::info_span!("empty", later = tracing::field::Empty);
            span.record("later", 7);
            span
        };
        assert_eq!(shown(empty), json!({ "name": "empty", "later": 7 }));
        let again = || {
            let span = tracing::info_span!("again", first = "a", later = tracing::field::Empty);
            span.record("later", "b");
            span.record("first", "c");
            span
        };
        assert_eq!(
            shown(again),
            json!({ "name": "again", "first": "c", "later": "b" })
        );
        assert_eq!(shown(|| tracing::info_span!("none")), json!({ "name": "none" }));
    }
}
