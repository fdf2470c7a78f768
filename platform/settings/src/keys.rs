//! Which keys a schema allows, and what kind of value it wants at one.

use serde_json::{Map, Value};

/// What stands at one place of a schema.
pub(crate) enum Place<'a> {
    /// A group of named keys.
    Group(Vec<&'a Map<String, Value>>),
    /// A map whose keys the operator chooses.
    Map(&'a Value),
    /// A single value (or a list).
    Leaf,
}

/// The schema of the whole settings and one place in it.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    root: &'a Value,
    here: &'a Value,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(root: &'a Value) -> Self {
        Self { root, here: root }
    }

    /// The schema itself and whatever it refers to or offers as an alternative.
    fn alternatives(self) -> Vec<&'a Value> {
        let mut found = Vec::new();
        let mut open = vec![self.here];
        while let Some(schema) = open.pop() {
            if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
                open.extend(
                    target
                        .strip_prefix('#')
                        .and_then(|pointer| self.root.pointer(pointer)),
                );
            }
            for word in ["oneOf", "anyOf", "allOf"] {
                open.extend(schema.get(word).and_then(Value::as_array).into_iter().flatten());
            }
            found.push(schema);
        }
        found
    }

    pub(crate) fn place(self) -> Place<'a> {
        let alternatives = self.alternatives();
        let groups: Vec<_> = alternatives
            .iter()
            .filter_map(|schema| schema.get("properties").and_then(Value::as_object))
            .collect();
        if !groups.is_empty() {
            return Place::Group(groups);
        }
        let map = alternatives
            .iter()
            .find_map(|schema| schema.get("additionalProperties").filter(|v| v.is_object()));
        map.map_or(Place::Leaf, Place::Map)
    }

    /// The place below `key`, or the keys that are allowed instead.
    pub(crate) fn below(self, key: &str) -> Result<Self, Vec<String>> {
        match self.place() {
            Place::Group(groups) => groups
                .iter()
                .find_map(|group| group.get(key))
                .map(|here| Self {
                    root: self.root,
                    here,
                })
                .ok_or_else(|| {
                    let mut allowed: Vec<String> =
                        groups.iter().flat_map(|group| group.keys().cloned()).collect();
                    allowed.sort();
                    allowed.dedup();
                    allowed
                }),
            Place::Map(here) => Ok(Self {
                root: self.root,
                here,
            }),
            Place::Leaf => Err(Vec::new()),
        }
    }

    /// Whether a value here is a text, so that `123` in the environment is not a number.
    pub(crate) fn wants_text(self) -> bool {
        let says = |schema: &Value, wanted: &str| match schema.get("type") {
            Some(Value::String(name)) => name == wanted,
            Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
            _ => false,
        };
        self.alternatives().into_iter().any(|schema| {
            says(schema, "string")
                || schema.get("enum").is_some()
                || schema.get("const").is_some_and(Value::is_string)
        })
    }
}
