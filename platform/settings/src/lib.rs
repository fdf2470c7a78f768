//! Typed settings: defaults, then a TOML file, then the environment; what nobody asked for is refused.
//!
//! A role writes one struct with `Default`, `Serialize`, `Deserialize` and `JsonSchema`; [`load`] fills it.
//!
//! - A key in the file is `payment.confirmations`; in the environment the same key is `FERREX__PAYMENT__CONFIRMATIONS`.
//!   The struct's schema says whether an environment value is a text, a number or a list (as TOML writes it).
//! - A key that the struct does not have is refused, with the key, where it stands and the keys that are allowed; the
//!   struct needs no `deny_unknown_fields` for that.
//! - A secret is never a setting. The setting is a [`SecretFile`], the path of the file that holds it.

mod error;
mod keys;
mod layers;
mod secret;

use std::path::Path;

pub use error::Error;
pub use schemars::JsonSchema;
use schemars::SchemaGenerator;
pub use secret::{SecretError, SecretFile};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads settings from the defaults, the file if one is given, and the process's environment.
pub fn load<T>(file: Option<&Path>) -> Result<T, Error>
where
    T: DeserializeOwned + Serialize + Default + JsonSchema,
{
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_from(file, variables)
}

/// As [`load`], with the environment as a parameter.
pub fn load_from<T>(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, Error>
where
    T: DeserializeOwned + Serialize + Default + JsonSchema,
{
    let schema = schema::<T>();
    let mut layers = layers::Layers::new(serde_json::to_value(T::default()).map_err(Error::Defaults)?);
    if let Some(file) = file {
        layers.add_file(file, &schema)?;
    }
    layers.add_variables(variables, &schema)?;
    layers.extract()
}

/// The JSON Schema of the settings, for editors and for the documentation.
pub fn schema<T: JsonSchema>() -> Value {
    SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests;
