//! The layers of settings, laid over one another, and where each value came from.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use figment::Figment;
use figment::providers::{Format, Toml};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Error;
use crate::keys::{Cursor, Place};

/// What every environment variable of ours begins with; `FERREX_KILL` and the like have one underscore only.
const PREFIX: &str = "FERREX__";

pub(crate) struct Layers {
    merged: Value,
    /// Whole key → the file or variable that set it last.
    places: BTreeMap<String, String>,
}

impl Layers {
    pub(crate) fn new(defaults: Value) -> Self {
        Self {
            merged: defaults,
            places: BTreeMap::new(),
        }
    }

    pub(crate) fn add_file(&mut self, path: &Path, schema: &Value) -> Result<(), Error> {
        let values: Value = Figment::from(Toml::file_exact(path))
            .extract()
            .map_err(|source| Error::File {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        self.lay(values, Cursor::new(schema), &format!("file {}", path.display()))
    }

    pub(crate) fn add_variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        schema: &Value,
    ) -> Result<(), Error> {
        let mut ours: Vec<_> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        ours.sort();
        for (name, text) in ours {
            let keys: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
            let place = format!("environment variable {name}");
            let mut cursor = Cursor::new(schema);
            for (depth, key) in keys.iter().enumerate() {
                cursor = cursor.below(key).map_err(|allowed| Error::UnknownKey {
                    key: keys[..=depth].join("."),
                    place: place.clone(),
                    allowed,
                })?;
            }
            let leaf = if cursor.wants_text() {
                Value::String(text)
            } else {
                parse(&text)
            };
            let value = keys
                .into_iter()
                .rev()
                .fold(leaf, |inner, key| Value::Object(Map::from_iter([(key, inner)])));
            self.lay(value, Cursor::new(schema), &place)?;
        }
        Ok(())
    }

    /// Lays `values` over what is there. Groups are merged key by key, everything else replaces.
    fn lay(&mut self, values: Value, schema: Cursor<'_>, place: &str) -> Result<(), Error> {
        merge(
            &mut self.merged,
            values,
            schema,
            &mut String::new(),
            place,
            &mut self.places,
        )
    }

    pub(crate) fn extract<T: DeserializeOwned>(self) -> Result<T, Error> {
        serde_path_to_error::deserialize(self.merged).map_err(|error| {
            let key = error.path().to_string();
            let place = self
                .places
                .iter()
                .rev()
                .find(|(set, _)| {
                    key == **set || key.starts_with(&format!("{set}.")) || key.starts_with(&format!("{set}["))
                })
                .map_or_else(|| "the defaults".to_owned(), |(_, place)| place.clone());
            Error::Value {
                key,
                place,
                message: error.into_inner().to_string(),
            }
        })
    }
}

fn merge(
    below: &mut Value,
    above: Value,
    schema: Cursor<'_>,
    key: &mut String,
    place: &str,
    places: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let (Value::Object(entries), Place::Group(_) | Place::Map(_)) = (&above, schema.place()) else {
        places.insert(key.clone(), place.to_owned());
        *below = above;
        return Ok(());
    };
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    let target = below.as_object_mut().expect("it was made an object above");
    for (name, value) in entries {
        let length = key.len();
        if !key.is_empty() {
            key.push('.');
        }
        key.push_str(name);
        let inner = schema.below(name).map_err(|allowed| Error::UnknownKey {
            key: key.clone(),
            place: place.to_owned(),
            allowed,
        })?;
        merge(
            target.entry(name).or_insert(Value::Null),
            value.clone(),
            inner,
            key,
            place,
            places,
        )?;
        key.truncate(length);
    }
    Ok(())
}

/// An environment value that is no text, read as TOML reads it: a number, `true`, a list.
fn parse(text: &str) -> Value {
    let value = figment::value::Value::from_str(text);
    value
        .ok()
        .and_then(|value| serde_json::to_value(value).ok())
        .unwrap_or_else(|| Value::String(text.to_owned()))
}
