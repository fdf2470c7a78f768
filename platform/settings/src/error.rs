use std::path::PathBuf;

/// Why settings could not be read. The texts are written for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The defaults are no data; a defect of the struct.
    #[error("writing down the default settings")]
    Defaults(#[source] serde_json::Error),
    /// The file is missing or is not TOML.
    #[error("reading the settings file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<figment::Error>,
    },
    /// A key that no setting has.
    #[error("unknown setting `{key}` in {place}; allowed here: {}", allowed.join(", "))]
    UnknownKey {
        /// The whole key, with dots.
        key: String,
        /// The file or the environment variable that has it.
        place: String,
        /// The keys that are allowed beside it.
        allowed: Vec<String>,
    },
    /// A value of the wrong type, or one that its type refuses.
    #[error("setting `{key}` (from {place}): {message}")]
    Value {
        /// The whole key, with dots.
        key: String,
        /// The file or the environment variable that has it, or the defaults.
        place: String,
        /// What is wrong and what is allowed.
        message: String,
    },
}
