//! What a process says about itself: log lines, metrics, traces.
//!
//! [`init`] is called once, by the binary. Logs are JSON lines, or readable lines on a terminal. Metrics go to a
//! Prometheus recorder whose text the operations port prints. Traces go out over OTLP when an endpoint is configured;
//! without one nothing of OpenTelemetry runs.
//!
//! A value that must not be read by whoever reads the log is wrapped in [`Redacted`] (personal data) or in
//! `secrecy::SecretString` (secrets).

mod fields;
mod redacted;
mod trace;

use std::io::IsTerminal as _;

pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use opentelemetry_sdk::trace::SdkTracerProvider;
pub use redacted::Redacted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use trace::{current_traceparent, set_parent};
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt};

use crate::fields::JsonObject;

/// Settings of the log, the metrics and the traces.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// What is logged: a level, or directives such as `info,ferrex_bus=debug`.
    pub filter: String,
    /// How a log line looks.
    pub format: Format,
    /// The whole OTLP address over HTTP, such as `http://collector:4318/v1/traces`; absent: no traces.
    pub otlp_endpoint: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: Format::Auto,
            otlp_endpoint: None,
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Readable on a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not understood.
    #[error("reading the log filter `{filter}`")]
    Filter {
        /// As configured.
        filter: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter of traces does not accept its address.
    #[error("setting up the export of traces to {endpoint}")]
    Otlp {
        /// As configured.
        endpoint: String,
        /// Why.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// Somebody installed a log subscriber before.
    #[error("installing the log")]
    Log(#[from] TryInitError),
    /// Somebody installed a recorder of metrics before.
    #[error("installing the recorder of metrics")]
    Metrics(#[from] BuildError),
}

/// What [`init`] set up; kept until the process ends.
#[derive(Debug)]
pub struct Telemetry {
    metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Prints the metrics, for `/metrics`.
    pub fn metrics(&self) -> PrometheusHandle {
        self.metrics.clone()
    }

    /// Sends what is left of the traces. Blocks for at most a few seconds: call it at the end, off the runtime's threads.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Sets up logs, metrics and traces of a process that calls itself `service`. Must be called on a tokio runtime when
/// an OTLP endpoint is configured.
pub fn init(config: &Config, service: &str) -> Result<Telemetry, Error> {
    let pretty = match config.format {
        Format::Auto => std::io::stdout().is_terminal(),
        Format::Json => false,
        Format::Pretty => true,
    };
    let traces = config
        .otlp_endpoint
        .as_deref()
        .map(|endpoint| trace::provider(endpoint, service))
        .transpose()?;
    let spans = traces.as_ref().map(trace::layer);
    let layer = if pretty {
        let lines = fmt::layer().with_target(true);
        filtered(&config.filter, lines, spans)?
    } else {
        filtered(&config.filter, json_lines(), spans)?
    };
    tracing_subscriber::registry().with(layer).try_init()?;
    Ok(Telemetry {
        metrics: recorder()?,
        traces,
    })
}

/// Log lines that pass a filter, and spans that need not.
fn filtered<S>(
    filter: &str,
    lines: impl Layer<Registry> + Send + Sync,
    spans: Option<S>,
) -> Result<Box<dyn Layer<Registry> + Send + Sync>, Error>
where
    S: Layer<Registry> + Send + Sync,
{
    // Where directives name no spans and fields, as most do not, what passes is known for each place in the source once and for all.
    // A bracket would be read as a part of a target's name.
    if spans.is_none()
        && !filter.contains('[')
        && let Ok(targets) = filter.parse::<Targets>()
    {
        return Ok(targets.and_then(lines).boxed());
    }
    let directives = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| Error::Filter {
            filter: filter.to_owned(),
            source,
        })?;
    let lines = lines.with_filter(directives);
    Ok(match spans {
        Some(spans) => lines.and_then(spans).boxed(),
        // Not `and_then(None)`, which would let nothing pass.
        None => lines.boxed(),
    })
}

/// One JSON object a line, with the span that the event is in.
fn json_lines<S>() -> fmt::Layer<S, JsonObject, fmt::format::Format<fmt::format::Json>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .fmt_fields(JsonObject)
}

/// Seconds, from what memory answers to what a person gives up on.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Installs the recorder of metrics; names that end in `_seconds` are histograms with fixed buckets.
fn recorder() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .install_recorder()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing::{debug, info};
    use tracing_subscriber::layer::Identity;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that work prints under a filter.
    pub(crate) fn printed(filter: &str, work: impl FnOnce()) -> String {
        printed_beside(None, filter, work)
    }

    /// The same, while spans go elsewhere too.
    fn printed_beside(spans: Option<Identity>, filter: &str, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let json = json_lines().with_writer(move || writer.clone());
        let layer = filtered(filter, json, spans).expect("the filter is understood");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let bytes = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("lines are text")
    }

    #[test]
    fn a_filter_names_levels_targets_or_spans() {
        let seen = |filter: &str, spans: Option<Identity>| {
            let lines = printed_beside(spans, filter, || {
                info!(target: "here", "one");
                debug!(target: "here", "two");
                debug!(target: "there", "three");
                tracing::info_span!("work").in_scope(|| debug!(target: "there", "four"));
            });
            let all = ["one", "two", "three", "four"].into_iter();
            all.filter(|word| lines.contains(&format!("\"{word}\"")))
                .collect::<Vec<_>>()
        };
        let expected: [(&str, &[&str]); 4] = [
            ("warn", &[]),
            ("info", &["one"]),
            ("info,there=debug", &["one", "three", "four"]),
            ("info,[work]=debug", &["one", "four"]),
        ];
        for (filter, words) in expected {
            assert_eq!(seen(filter, None), words, "{filter}");
            assert_eq!(seen(filter, Some(Identity::new())), words, "{filter}, and traces");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_told() {
        let refused = filtered("info,[work", json_lines(), None::<Identity>);
        let error = refused.err().expect("a bracket is open");
        assert_eq!(error.to_string(), "reading the log filter `info,[work`");
    }
}
