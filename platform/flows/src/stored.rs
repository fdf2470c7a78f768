//! States, inputs and actions as JSON.

use ferrex_ids::FlowId;
use serde_json::Value;

use crate::{Error, Flow};

pub(crate) fn write(id: FlowId, what: &'static str, value: &impl serde::Serialize) -> Result<Value, Error> {
    let mut value = serde_json::to_value(value).map_err(|source| Error::Unwritable { id, what, source })?;
    without_zero_bytes(&mut value);
    Ok(value)
}

/// PostgreSQL's jsonb holds no zero byte, and a text from outside may; it must not stop a flow.
fn without_zero_bytes(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(items) => items.iter_mut().for_each(without_zero_bytes),
        Value::Object(fields) => fields.values_mut().for_each(without_zero_bytes),
        _ => {}
    }
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(
    id: FlowId,
    what: &'static str,
    value: Value,
) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|source| Error::Unreadable {
        id,
        what,
        source: source.into(),
    })
}

pub(crate) fn read_state<F: Flow>(id: FlowId, version: i32, state: Value) -> Result<F::State, Error> {
    let state = if version == F::VERSION {
        state
    } else {
        F::upgrade(version, state).map_err(|fault| Error::Unreadable {
            id,
            what: "state",
            source: fault.chain().into(),
        })?
    };
    read(id, "state", state)
}
