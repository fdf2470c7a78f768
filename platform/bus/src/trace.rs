//! Trace context that follows a unit of work across messages: one W3C `traceparent` a task.
//!
//! The web layer opens a [`scope`] for each request and [`crate::serve`] for each message; [`crate::Outgoing::event`] and
//! [`crate::Bus::request`] put what [`current`] answers into the header.

use std::future::Future;

use bytestring::ByteString;

tokio::task_local! {
    static PARENT: ByteString;
}

/// The trace context of the unit of work this runs in.
pub fn current() -> Option<ByteString> {
    PARENT.try_with(Clone::clone).ok()
}

/// Runs a unit of work under a trace context.
pub async fn scope<F: Future>(traceparent: ByteString, work: F) -> F::Output {
    PARENT.scope(traceparent, work).await
}

/// A context for a unit of work that `parent` caused: its trace, a span of its own. Without a (readable) parent a new
/// trace begins.
pub fn child(parent: Option<&str>) -> ByteString {
    let trace = parent
        .and_then(trace_id)
        .map_or_else(|| format!("{:032x}", rand::random::<u128>()), str::to_owned);
    format!("00-{trace}-{:016x}-01", rand::random::<u64>()).into()
}

/// The trace's id within a `traceparent`, if that is well formed.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, digits: usize| {
        text.len() == digits
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let fits = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    (fits && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[tokio::test]
    async fn a_scope_is_seen_inside_and_not_outside() {
        assert_eq!(
            scope(PARENT.into(), async { current() }).await.as_deref(),
            Some(PARENT)
        );
        assert_eq!(current(), None);
    }

    #[test]
    fn a_child_keeps_the_trace_and_changes_the_span() {
        let child = child(Some(PARENT));
        assert_eq!(trace_id(&child), trace_id(PARENT));
        assert_ne!(child, PARENT);
    }

    #[test]
    fn nonsense_begins_a_new_trace() {
        for text in [
            "",
            "00-zz-1-1",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_id(text), None, "{text}");
            assert!(trace_id(&child(Some(text))).is_some());
        }
    }
}
