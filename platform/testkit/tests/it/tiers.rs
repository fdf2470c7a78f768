//! The tiers of docs/ARCHITECTURE.md, read from `cargo metadata`: a directory imports only from those above it.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// From the top down. Crates of one tier may import one another unless [`LONERS`] says otherwise.
const TIERS: [&str; 10] = [
    "foundation",
    "domain",
    "contracts",
    "platform",
    "services",
    "sandbox",
    "app",
    "sim",
    "e2e",
    "bench",
];
/// Tiers whose crates never import one another.
const LONERS: [&str; 2] = ["services", "app"];
/// Payment's two helper roles, which its tests run for real; its delivered code reaches them by their clients only.
const HELPERS_IN_TESTS: (&str, [&str; 2]) = ("ferrex-payment", ["ferrex-engine", "ferrex-signer"]);
/// Nothing that waits, reads or writes below these.
const PURE: [&str; 3] = ["foundation", "domain", "contracts"];
const IMPURE_CRATES: [&str; 8] = [
    "tokio", "futures", "sqlx", "axum", "hyper", "reqwest", "rdkafka", "tracing",
];
/// For binaries only: a library has errors with types, and no command line.
const FOR_APPS: [&str; 2] = ["anyhow", "clap"];

struct Edge<'a> {
    from: &'a str,
    from_tier: &'a str,
    to: &'a str,
    /// `None` for a crate from a registry.
    to_tier: Option<&'a str>,
    dev: bool,
}

/// What is wrong with an edge.
fn objection(edge: &Edge<'_>) -> Option<&'static str> {
    let rank = |tier: &str| TIERS.iter().position(|name| *name == tier);
    let Some(to_tier) = edge.to_tier else {
        let pure = PURE.contains(&edge.from_tier) && !edge.dev;
        return if pure && IMPURE_CRATES.contains(&edge.to) {
            Some("this tier has no async and no I/O")
        } else if FOR_APPS.contains(&edge.to) && rank(edge.from_tier) < rank("sandbox") {
            Some("anyhow and clap are for the binaries")
        } else {
            None
        };
    };
    // Tests may start real servers and sandboxes; what is delivered may not.
    let for_tests = edge.to == "ferrex-testkit" || to_tier == "sandbox";
    if for_tests {
        let may = edge.dev
            || ["ferrex-dev", "ferrex-testkit"].contains(&edge.from)
            || rank(edge.from_tier) > rank("app");
        return (!may).then_some("the test kit and the sandbox are for tests and ferrex-dev");
    }
    if rank(to_tier) > rank(edge.from_tier) {
        return Some("imports from a lower tier");
    }
    if edge.dev && edge.from == HELPERS_IN_TESTS.0 && HELPERS_IN_TESTS.1.contains(&edge.to) {
        return None;
    }
    if to_tier == edge.from_tier && LONERS.contains(&to_tier) {
        return Some("crates of this tier never import one another");
    }
    None
}

#[test]
fn every_crate_imports_only_from_the_tiers_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut wrong = Vec::new();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages {
        let from = package["name"].as_str().unwrap();
        let from_tier = tier(package["manifest_path"].as_str().unwrap(), &root);
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let to_tier = dependency["path"].as_str().map(|path| tier(path, &root));
            let edge = Edge {
                from,
                from_tier,
                to,
                to_tier,
                dev: dependency["kind"] == "dev",
            };
            if let Some(reason) = objection(&edge) {
                wrong.push(format!("{from} -> {to}: {reason}"));
            }
        }
    }
    assert!(packages.len() > 20, "the workspace was read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first directory below the root.
fn tier<'a>(path: &'a str, root: &Path) -> &'a str {
    let inside = Path::new(path)
        .strip_prefix(root)
        .expect("a crate of the workspace is below its root");
    let tier = inside
        .components()
        .next()
        .and_then(|first| first.as_os_str().to_str())
        .unwrap_or_default();
    assert!(TIERS.contains(&tier), "{path} is in no tier");
    tier
}

#[test]
fn wrong_edges_are_found() {
    let edge = |from, from_tier, to, to_tier, dev| {
        objection(&Edge {
            from,
            from_tier,
            to,
            to_tier,
            dev,
        })
        .is_some()
    };
    assert!(edge("ferrex-ledger", "domain", "tokio", None, false));
    assert!(edge(
        "ferrex-money",
        "foundation",
        "ferrex-ledger",
        Some("domain"),
        false
    ));
    assert!(edge(
        "ferrex-core",
        "services",
        "ferrex-payment",
        Some("services"),
        true
    ));
    assert!(edge(
        "ferrex-bus",
        "platform",
        "ferrex-core",
        Some("services"),
        true
    ));
    assert!(edge("ferrex", "app", "ferrex-testkit", Some("platform"), false));
    assert!(edge("ferrex", "app", "ferrex-sandbox", Some("sandbox"), false));
    assert!(edge("ferrex-core", "services", "anyhow", None, false));
    assert!(!edge(
        "ferrex-dev",
        "app",
        "ferrex-testkit",
        Some("platform"),
        false
    ));
    assert!(!edge(
        "ferrex-core",
        "services",
        "ferrex-testkit",
        Some("platform"),
        true
    ));
    assert!(!edge(
        "ferrex-engine-core",
        "domain",
        "ferrex-ledger",
        Some("domain"),
        false
    ));
}
