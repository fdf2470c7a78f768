//! `make bench`: every benchmark, one after the other, or the one that is named.

use ferrex_bench::{footprint, ledger, matching, messages};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NAMES: [&str; 7] = [
    "ledger",
    "matching",
    "requests",
    "events",
    "events-alone",
    "embedded",
    "footprint",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let only = std::env::args().nth(1);
    if let Some(only) = &only {
        anyhow::ensure!(
            NAMES.contains(&only.as_str()),
            "there is no benchmark {only}, only {}",
            NAMES.join(", ")
        );
    }
    for name in NAMES
        .into_iter()
        .filter(|name| only.as_deref().is_none_or(|only| only == *name))
    {
        match name {
            "ledger" => ledger::run().await?,
            "matching" => matching::run().await?,
            "requests" => messages::requests::run().await?,
            "events" => messages::events::run_batched().await?,
            "events-alone" => messages::events::run_alone().await?,
            "embedded" => messages::embedded::run().await?,
            _ => footprint::run().await?,
        }
    }
    Ok(())
}
