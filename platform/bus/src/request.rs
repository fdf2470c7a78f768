//! Asking: one reply partition a bus, answers joined to their requests by correlation id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use ferrex_contracts::Request;
use ferrex_contracts::envelope::{Envelope, header};
use ferrex_fault::{Fault, Kind};
use ferrex_ids::MessageId;
use ferrex_time::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bus::Inner;
use crate::message::{body_of, decode};
use crate::transport::{Incoming, Record, Tail, Urgency};
use crate::{Error, Headers, RequestError, trace};

/// What a request's handler is told beside the request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request's identity.
    pub id: MessageId,
    /// What it is about; requests of one key are handled in order.
    pub key: ByteString,
    /// Who asks; empty when unknown.
    pub source: ByteString,
    /// When it was asked.
    pub at: Timestamp,
    /// When the asker stops waiting.
    pub deadline: Option<Timestamp>,
}

type Pending = Arc<Mutex<HashMap<String, oneshot::Sender<Incoming>>>>;

/// The asking side: where its answers come to, and who waits for which.
pub(crate) struct Requester {
    topic: ByteString,
    pending: Pending,
    line: AsyncMutex<Option<Line>>,
}

/// A reply partition being read.
struct Line {
    partition: i32,
    ended: CancellationToken,
    _stop: DropGuard,
}

/// Forgets a request when its asker stops waiting, also when the asker is dropped.
struct Waiting {
    pending: Pending,
    correlation: String,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.correlation);
    }
}

impl Requester {
    pub fn new(service: &str) -> Self {
        Self {
            topic: format!("{service}.replies.v1").into(),
            pending: Pending::default(),
            line: AsyncMutex::new(None),
        }
    }

    pub fn close(&self) {
        if let Ok(mut line) = self.line.try_lock() {
            *line = None;
        }
    }

    /// The partition that answers come to. It is opened by the first request, and again should its reader have ended.
    async fn reply_partition(&self, bus: &Inner) -> Result<i32, Error> {
        let mut line = self.line.lock().await;
        if let Some(line) = line.as_ref().filter(|line| !line.ended.is_cancelled()) {
            return Ok(line.partition);
        }
        bus.transport.ensure_topics(&[self.topic.to_string()]).await?;
        let pending = Arc::clone(&self.pending);
        let sink = move |record: Incoming| {
            let Some(correlation) = record.headers.text(header::CORRELATION) else {
                return;
            };
            // Unknown: the asker gave up, or the partition is shared with another replica.
            let waiting = pending
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(correlation);
            if let Some(waiting) = waiting {
                let _ = waiting.send(record);
            }
        };
        let Tail {
            partition,
            ended,
            stop,
        } = bus.transport.tail(&self.topic, Box::new(sink)).await?;
        *line = Some(Line {
            partition,
            ended,
            _stop: stop,
        });
        Ok(partition)
    }

    pub async fn ask<R: Request>(
        &self,
        bus: &Inner,
        key: String,
        request: &R,
        within: Duration,
    ) -> Result<R::Reply, RequestError> {
        let started = tokio::time::Instant::now();
        let outcome = match tokio::time::timeout(within, self.exchange(bus, key, request, within)).await {
            Ok(outcome) => outcome.and_then(|answer| read_answer(&answer)),
            Err(_) => Err(RequestError::TimedOut),
        };
        let label = match &outcome {
            Ok(_) => "ok",
            Err(RequestError::Fault(_)) => "fault",
            Err(RequestError::TimedOut) => "timed_out",
            Err(RequestError::Bus(_)) => "bus",
        };
        metrics::histogram!("ferrex_bus_request_seconds", "type" => R::TYPE, "outcome" => label)
            .record(started.elapsed());
        outcome
    }

    async fn exchange<R: Request>(
        &self,
        bus: &Inner,
        key: String,
        request: &R,
        within: Duration,
    ) -> Result<Incoming, RequestError> {
        let partition = self.reply_partition(bus).await?;
        let id = MessageId::new_at(bus.clock.unix_ms());
        let now = bus.clock.now();
        let envelope = Envelope {
            id,
            message_type: ByteString::from_static(R::TYPE),
            source: bus.service.clone(),
            at: now,
            traceparent: trace::current(),
        };
        let deadline = u64::try_from(within.as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(bus.clock.unix_ms());
        let correlation = id.to_string();
        let mut headers = Headers::of(envelope);
        headers.push(header::CORRELATION, correlation.clone());
        headers.push(header::REPLY_TOPIC, self.topic.clone().into_bytes());
        headers.push(header::REPLY_PARTITION, partition.to_string());
        headers.push(header::DEADLINE, deadline.to_string());
        let (answer, answered) = oneshot::channel();
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(correlation.clone(), answer);
        let _waiting = Waiting {
            pending: Arc::clone(&self.pending),
            correlation,
        };
        let record = Record {
            topic: ByteString::from_static(R::TOPIC),
            partition: None,
            key: (!key.is_empty()).then(|| key.into()),
            headers,
            body: Some(body_of(request)),
        };
        let sending = bus.transport.publish(vec![record], Urgency::Fast);
        tokio::pin!(sending, answered);
        let answer = tokio::select! {
            biased;
            // The broker's receipt may come after the answer.
            answer = &mut answered => answer,
            sent = &mut sending => {
                sent?;
                answered.await
            }
        };
        answer.map_err(|_| RequestError::Bus(Error::Closed))
    }
}

fn read_answer<T: serde::de::DeserializeOwned>(answer: &Incoming) -> Result<T, RequestError> {
    if let Some(fault) = answer.headers.get(header::FAULT) {
        return Err(RequestError::Fault(read_fault(fault)));
    }
    decode(answer.body.as_deref().unwrap_or_default()).map_err(|source| {
        RequestError::Bus(Error::Decode {
            message_type: "reply".to_owned(),
            source,
        })
    })
}

/// A fault as it stands in its header: ours, or whatever a NestJS handler threw.
fn read_fault(header: &[u8]) -> Fault {
    if let Ok(fault) = serde_json::from_slice::<Fault>(header) {
        return fault;
    }
    let text = String::from_utf8_lossy(header).into_owned();
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
    let message = value
        .get("message")
        .or(Some(&value))
        .and_then(Value::as_str)
        .map_or(text, str::to_owned);
    let mut fault = Fault::new(Kind::Internal, "bus.remote", message);
    if let Some(code) = value.get("code").and_then(Value::as_str) {
        fault.code = code.to_owned().into();
    }
    fault
}

/// The answer to a request: headers that NestJS reads too, the result as the body or the fault as a header.
///
/// A string goes bare to an asker that is no Ferrex service, since NestJS would keep the quotes.
pub(crate) fn answer(
    correlation: &str,
    to: (&str, i32),
    bare_strings: bool,
    result: Result<Value, Fault>,
) -> Record {
    let mut headers = Headers::default();
    headers.push(header::CORRELATION, correlation.to_owned());
    headers.push(header::DISPOSED, vec![0]);
    let body = match result {
        Ok(Value::Null) => None,
        Ok(Value::String(text)) if bare_strings => Some(Bytes::from(text)),
        Ok(value) => Some(Bytes::from(value.to_string())),
        Err(fault) => {
            let mut value = serde_json::to_value(&fault).unwrap_or_default();
            // What a NestJS asker shows.
            value["message"] = Value::String(fault.detail);
            headers.push(header::FAULT, value.to_string());
            None
        }
    };
    Record {
        topic: to.0.into(),
        partition: Some(to.1),
        key: None,
        headers,
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_both_dialects_are_read() {
        let ours = Fault::invalid_field("test.bad", "amount", "too small");
        let record = answer("c", ("t", 0), false, Err(ours));
        let back = read_fault(record.headers.get(header::FAULT).unwrap());
        assert_eq!(
            (back.kind, &*back.code, back.fields.len()),
            (Kind::Invalid, "test.bad", 1)
        );

        let theirs = read_fault(br#"{"code":"E1","message":"nope"}"#);
        assert_eq!(
            (theirs.kind, &*theirs.code, theirs.detail.as_str()),
            (Kind::Internal, "E1", "nope")
        );
        let plain = read_fault(br#"{"status":"error","message":"Internal server error"}"#);
        assert_eq!(
            (&*plain.code, plain.detail.as_str()),
            ("bus.remote", "Internal server error")
        );
        assert_eq!(read_fault(b"text").detail, "text");
    }

    #[test]
    fn null_has_no_body_and_strings_go_bare_to_nestjs() {
        assert_eq!(answer("c", ("t", 0), false, Ok(Value::Null)).body, None);
        let text = || Ok(Value::String("abc".into()));
        assert_eq!(
            answer("c", ("t", 0), true, text()).body.as_deref(),
            Some(&b"abc"[..])
        );
        assert_eq!(
            answer("c", ("t", 0), false, text()).body.as_deref(),
            Some(&b"\"abc\""[..])
        );
    }
}
