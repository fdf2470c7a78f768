//! `make bench`: every benchmark, one after the other, or the one that is named. With `--quick` only a look at each.

use ferrex_bench::effort::Effort;
use ferrex_bench::ledger::growth::Sizes;
use ferrex_bench::{footprint, http, ledger, matching, messages, orders, start};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NAMES: [&str; 17] = [
    "ledger",
    "ack-latency",
    "http-orders",
    "http",
    "start",
    "growth",
    "matching",
    "produce",
    "consume",
    "requests",
    "events",
    "events-alone",
    "relay-outbox",
    "relay-journal",
    "scaling",
    "embedded",
    "footprint",
];

/// These know no short form and are left out of a look at all.
const ONLY_FULL: [&str; 9] = [
    "produce",
    "consume",
    "requests",
    "events",
    "events-alone",
    "relay-outbox",
    "relay-journal",
    "scaling",
    "embedded",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    arguments.retain(|argument| argument != "--quick");
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", name] => return http::serve(name).await,
        // They take most of an hour, so that they are run only by their names.
        ["soak"] => return orders::soak::run(effort).await,
        ["growth-big"] => return ledger::growth::run(Sizes::BIG, effort).await,
        _ => {}
    }
    let only = arguments.first().cloned();
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
        .filter(|name| !quick || only.is_some() || !ONLY_FULL.contains(name))
    {
        match name {
            "ledger" => ledger::run(effort).await?,
            "ack-latency" => ledger::ack::run(effort).await?,
            "http-orders" => orders::run(effort).await?,
            "http" => http::run(effort).await?,
            "start" => start::run(effort).await?,
            "growth" if quick => ledger::growth::run(Sizes::QUICK, effort).await?,
            "growth" => ledger::growth::run(Sizes::SMALL, effort).await?,
            "matching" => matching::run(effort).await?,
            "produce" => messages::produce::run().await?,
            "consume" => messages::consume::run().await?,
            "requests" => messages::requests::run().await?,
            "events" => messages::events::run_batched().await?,
            "events-alone" => messages::events::run_alone().await?,
            "relay-outbox" => messages::relay::outbox::run().await?,
            "relay-journal" => messages::relay::journal::run().await?,
            "scaling" => messages::scaling::run().await?,
            "embedded" => messages::embedded::run().await?,
            _ => footprint::run(effort).await?,
        }
    }
    Ok(())
}
