//! The headers and bodies of messages, one header a line and the body after an empty one: what is read is written back as the
//! same envelope.

#![no_main]

use ferrex_contracts::engine::{JournalCommitted, MarketChanged};
use ferrex_contracts::envelope::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let (head, body) = data.split_once("\n\n").unwrap_or((data, ""));
    let find = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, text)| (key == name).then_some(text))
    };
    if let Ok(envelope) = Envelope::from_headers(find) {
        let headers: Vec<_> = envelope.into_headers().collect();
        let find = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, text)| &**text);
        let again = Envelope::from_headers(find).unwrap();
        assert!(again.into_headers().eq(headers.iter().cloned()));
    }
    if let Ok(message) = serde_json::from_str::<JournalCommitted>(body) {
        let text = serde_json::to_string(&message).unwrap();
        let again: JournalCommitted = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }
    if let Ok(message) = serde_json::from_str::<MarketChanged>(body) {
        let text = serde_json::to_string(&message).unwrap();
        let again: MarketChanged = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
    }
});
