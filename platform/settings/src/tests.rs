use std::collections::BTreeMap;
use std::io::Write as _;

use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Embedded,
    Kafka { brokers: Vec<String> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Payment {
    confirmations: u32,
    currency: String,
    hot_key: Option<SecretFile>,
    nodes: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Config {
    payment: Payment,
    bus: Shape,
    ports: Vec<u16>,
}

impl Default for Config {
    fn default() -> Self {
        let payment = Payment {
            confirmations: 12,
            currency: "EUR".into(),
            hot_key: None,
            nodes: BTreeMap::new(),
        };
        Self {
            payment,
            bus: Shape::Embedded,
            ports: vec![8080],
        }
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn later_layers_win_key_by_key() {
    let file = file(
        "ports = [1, 2]\n[payment]\nconfirmations = 3\ncurrency = \"USD\"\n[payment.nodes]\nmain = \"http://a\"\n",
    );
    let env = variables(&[
        ("FERREX__PAYMENT__CONFIRMATIONS", "6"),
        ("FERREX__PAYMENT__NODES__TEST", "http://b"),
        ("FERREX__PORTS", "[9, 10]"),
        ("FERREX_KILL", "not.ours:1"),
        ("PATH", "/bin"),
    ]);
    let config: Config = load_from(Some(file.path()), env).unwrap();
    assert_eq!(
        (config.payment.confirmations, &*config.payment.currency),
        (6, "USD")
    );
    assert_eq!(config.ports, [9, 10]);
    assert_eq!(config.payment.nodes["main"], "http://a");
    assert_eq!(config.payment.nodes["test"], "http://b");
}

#[test]
fn a_text_of_digits_in_the_environment_stays_a_text() {
    let env = variables(&[
        ("FERREX__PAYMENT__CURRENCY", "007"),
        ("FERREX__PAYMENT__HOT_KEY", "12"),
    ]);
    let config: Config = load_from(None, env).unwrap();
    assert_eq!(config.payment.currency, "007");
    assert_eq!(config.payment.hot_key, Some(SecretFile::new("12")));
}

#[test]
fn an_unknown_key_is_refused_with_the_allowed_ones() {
    let file = file("[payment]\nconfirmation = 3\n");
    let error = load_from::<Config>(Some(file.path()), [])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`payment.confirmation`") && error.contains("confirmations, currency, hot_key, nodes"),
        "{error}"
    );

    let env = variables(&[("FERREX__PAYMENTS__CURRENCY", "EUR")]);
    let error = load_from::<Config>(None, env).unwrap_err().to_string();
    assert!(
        error.contains("`payments`") && error.contains("FERREX__PAYMENTS__CURRENCY"),
        "{error}"
    );
    assert!(error.contains("bus, payment, ports"), "{error}");
}

#[test]
fn a_wrong_value_names_key_place_and_type() {
    let env = variables(&[("FERREX__PAYMENT__CONFIRMATIONS", "many")]);
    let error = load_from::<Config>(None, env).unwrap_err().to_string();
    assert!(
        error.contains("`payment.confirmations`") && error.contains("FERREX__PAYMENT__CONFIRMATIONS"),
        "{error}"
    );
    assert!(error.contains("u32"), "{error}");
}

#[test]
fn an_enumeration_with_facts_replaces_the_default() {
    let file = file("[bus.kafka]\nbrokers = [\"localhost:9092\"]\n");
    let config: Config = load_from(Some(file.path()), []).unwrap();
    assert_eq!(
        config.bus,
        Shape::Kafka {
            brokers: vec!["localhost:9092".into()]
        }
    );
}

#[test]
fn a_missing_file_is_an_error_not_the_defaults() {
    assert!(matches!(
        load_from::<Config>(Some(Path::new("/nonexistent.toml")), []),
        Err(Error::File { .. })
    ));
}

#[test]
fn a_secret_loses_its_line_end_and_is_not_printed() {
    let file = file("hunter2\n");
    let secret = SecretFile::new(file.path()).read().unwrap();
    assert_eq!(secret.expose_secret(), "hunter2");
    assert!(!format!("{secret:?}").contains("hunter2"));
    assert!(matches!(
        SecretFile::new("/nonexistent").read(),
        Err(SecretError::Unreadable { .. })
    ));
}

#[test]
fn the_schema_lists_every_setting() {
    let schema = schema::<Config>();
    assert!(schema.pointer("/properties/payment").is_some() && schema.pointer("/properties/ports").is_some());
}
